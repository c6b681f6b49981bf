//! From a code on the wire back to the manager's own error and its sentence.
use upgrade_manager::error::ManagerError as E;

/// Every error in the order of its code, which starts at Anchor's 6000.
const ALL: [E; 105] = [
    E::MemberCount,
    E::MembersNotSortedUnique,
    E::MemberIsZero,
    E::MemberRoles,
    E::Threshold,
    E::NobodyProposes,
    E::NobodyExecutes,
    E::Timelock,
    E::Window,
    E::OpenCap,
    E::TreasuryIsZero,
    E::NotAMember,
    E::RoleMissing,
    E::TooManyOpen,
    E::Overflow,
    E::TypeRule,
    E::VersionNotNewer,
    E::SameBuffer,
    E::Manifest,
    E::ExpiryOutOfRange,
    E::SourceTooLong,
    E::AlreadyVoted,
    E::NoVote,
    E::StaleProposal,
    E::DigestMismatch,
    E::NotVoting,
    E::Expired,
    E::NotExpired,
    E::NotTimelocked,
    E::TimelockNotOver,
    E::TooFewSlots,
    E::NotExecuted,
    E::RollbackWindowOver,
    E::RollbackNotApproved,
    E::NotEnded,
    E::DurableNonce,
    E::NotALoaderAccount,
    E::NotUpgradeAuthority,
    E::BufferNotFrozen,
    E::WrongBufferRole,
    E::TrimmedLength,
    E::ElfTooLarge,
    E::NotAnElf,
    E::NotAttested,
    E::HashMismatch,
    E::RollbackNotLive,
    E::BufferTaken,
    E::LiveProposal,
    E::NotSteady,
    E::WrongAccount,
    E::SameSlot,
    E::BadBatch,
    E::NotEligible,
    E::AlreadyMigrated,
    E::TargetBroke,
    E::LamportsMoved,
    E::Touched,
    E::WrongBytes,
    E::RecordStatus,
    E::AccountExists,
    E::BadProof,
    E::NotComplete,
    E::NotRestored,
    E::RollingBack,
    E::SelfRegistration,
    E::BuffersOpen,
    E::NotRefund,
    E::Superseded,
    E::AuthorityLost,
    E::NotBufferAuthority,
    E::AlreadyAttested,
    E::ElfCutShort,
    E::SignatureMissing,
    E::CalledByProgram,
    E::Paused,
    E::NotGuardian,
    E::PauseTooSoon,
    E::NotPaused,
    E::GuardianCannotVeto,
    E::GuardianIsMember,
    E::SquadsAccount,
    E::SquadsControlled,
    E::SquadsPolicy,
    E::SquadsVoter,
    E::CriticalPolicy,
    E::TimelockFloor,
    E::NotThisKind,
    E::ProgramsRegistered,
    E::Dissolved,
    E::NotReleased,
    E::NewAuthority,
    E::RollForward,
    E::NoteTooLong,
    E::ChunkOutOfOrder,
    E::NeedsChunks,
    E::SpillTarget,
    E::BackupExists,
    E::BackupMissing,
    E::NotCritical,
    E::AddressTaken,
    E::BufferKnown,
    E::NotExact,
    E::WrongProgram,
    E::OldestVersion,
    E::NotChunked,
];

/// The manager's error with this code.
#[must_use]
pub fn manager_error(code: u32) -> Option<E> {
    ALL.into_iter().find(|e| u32::from(*e) == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_in_order() {
        for (code, error) in (6000..).zip(ALL) {
            assert_eq!(u32::from(error), code, "{error:?}");
            assert_eq!(manager_error(code), Some(error));
        }
        let source = include_str!("../../../programs/upgrade-manager/src/error.rs");
        assert_eq!(source.matches("#[msg(").count(), ALL.len(), "an error is missing here");
        assert_eq!(manager_error(5999), None);
        assert_eq!(manager_error(6000 + u32::try_from(ALL.len()).unwrap()), None);
    }
}
