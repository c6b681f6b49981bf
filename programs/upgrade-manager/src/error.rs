//! Every reason the program refuses, as a sentence an operator can act on.
use anchor_lang::prelude::*;

/// Codes start at 6000 in the order below; new ones go to the end.
#[error_code]
#[derive(PartialEq, Eq)]
pub enum ManagerError {
    /// 6000
    #[msg("A multisig has 1 to 16 members.")]
    MemberCount,
    /// 6001
    #[msg("Members must be sorted by key and unique.")]
    MembersNotSortedUnique,
    /// 6002
    #[msg("A member key is all zero.")]
    MemberIsZero,
    /// 6003
    #[msg("A member needs at least one of the roles propose, vote, execute, and no other bits.")]
    MemberRoles,
    /// 6004
    #[msg("The threshold must be more than half of the voters and at most all of them.")]
    Threshold,
    /// 6005
    #[msg("At least one member must be allowed to propose.")]
    NobodyProposes,
    /// 6006
    #[msg("At least one member must be allowed to execute.")]
    NobodyExecutes,
    /// 6007
    #[msg("The timelock must lie between its floor and 90 days.")]
    Timelock,
    /// 6008
    #[msg("A window lasts from one hour to 90 days.")]
    Window,
    /// 6009
    #[msg("The cap on open proposals is 1 to 16.")]
    OpenCap,
    /// 6010
    #[msg("The treasury is all zero.")]
    TreasuryIsZero,
    /// 6011
    #[msg("The signer is not a member of this multisig.")]
    NotAMember,
    /// 6012
    #[msg("The member lacks the role for this.")]
    RoleMissing,
    /// 6013
    #[msg("The member has as many open proposals as the multisig allows; end one first.")]
    TooManyOpen,
    /// 6014
    #[msg("A number left its range.")]
    Overflow,
    /// 6015
    #[msg("A type rule is unsound: check discriminator, version position and lengths.")]
    TypeRule,
    /// 6016
    #[msg("The new version must be higher than the one that runs.")]
    VersionNotNewer,
    /// 6017
    #[msg("Upgrade and rollback need two buffers.")]
    SameBuffer,
    /// 6018
    #[msg("The manifest's root and count do not fit each other or the type rules.")]
    Manifest,
    /// 6019
    #[msg("The expiry must lie behind the timelock and at most 180 days ahead.")]
    ExpiryOutOfRange,
    /// 6020
    #[msg("Source link, commit or image is too long.")]
    SourceTooLong,
    /// 6021
    #[msg("The member has cast this vote already.")]
    AlreadyVoted,
    /// 6022
    #[msg("The member has no vote to take back.")]
    NoVote,
    /// 6023
    #[msg("The multisig has changed since this proposal was made; propose again.")]
    StaleProposal,
    /// 6024
    #[msg("The vote names another digest than the proposal's: look at the proposal again.")]
    DigestMismatch,
    /// 6025
    #[msg("The proposal is not open for votes.")]
    NotVoting,
    /// 6026
    #[msg("The proposal has expired.")]
    Expired,
    /// 6027
    #[msg("The proposal has not expired yet.")]
    NotExpired,
    /// 6028
    #[msg("The proposal is not approved and waiting.")]
    NotTimelocked,
    /// 6029
    #[msg("The timelock is not over.")]
    TimelockNotOver,
    /// 6030
    #[msg("The clock says the timelock is over, but too few slots have passed; wait.")]
    TooFewSlots,
    /// 6031
    #[msg("The proposal has not been executed, or is over.")]
    NotExecuted,
    /// 6032
    #[msg("The rollback window is over.")]
    RollbackWindowOver,
    /// 6033
    #[msg("The members have not voted for rollback.")]
    RollbackNotApproved,
    /// 6034
    #[msg("This can be closed only when its proposal has ended and no rollback is possible.")]
    NotEnded,
    /// 6035
    #[msg("A vote in a durable-nonce transaction does not count for this multisig.")]
    DurableNonce,
    /// 6036
    #[msg("The account is not owned by the upgradeable loader or not of the expected kind.")]
    NotALoaderAccount,
    /// 6037
    #[msg("The signer is not the upgrade authority of the program.")]
    NotUpgradeAuthority,
    /// 6038
    #[msg("The buffer's authority is not the manager's address for this program: freeze it first.")]
    BufferNotFrozen,
    /// 6039
    #[msg("The buffer was not frozen for this role.")]
    WrongBufferRole,
    /// 6040
    #[msg("The trimmed length does not end at the last byte that is not zero.")]
    TrimmedLength,
    /// 6041
    #[msg("The ELF is larger than an account of 10 MiB can hold.")]
    ElfTooLarge,
    /// 6042
    #[msg("The bytes in the buffer do not start like an ELF.")]
    NotAnElf,
    /// 6043
    #[msg("The buffer has not been attested.")]
    NotAttested,
    /// 6044
    #[msg("The buffer's bytes do not have the hash that was attested.")]
    HashMismatch,
    /// 6045
    #[msg("The rollback buffer does not equal the code that runs.")]
    RollbackNotLive,
    /// 6046
    #[msg("Another proposal has pinned this buffer.")]
    BufferTaken,
    /// 6047
    #[msg("The program has a live proposal; end it first.")]
    LiveProposal,
    /// 6048
    #[msg("Accounts of the program are on their way; finish the migration or the rollback first.")]
    NotSteady,
    /// 6049
    #[msg("An account does not belong to this proposal.")]
    WrongAccount,
    /// 6050
    #[msg("The new code is not callable in the slot of its upgrade; try again in the next slot.")]
    SameSlot,
    /// 6051
    #[msg("Accounts must come in pairs or triples, in ascending order, each once.")]
    BadBatch,
    /// 6052
    #[msg(
        "The account is not of a pinned type, not owned by the target, or not at the old version."
    )]
    NotEligible,
    /// 6053
    #[msg("The account was migrated by this proposal already.")]
    AlreadyMigrated,
    /// 6054
    #[msg("After the target's call the account is not what its type rule demands.")]
    TargetBroke,
    /// 6055
    #[msg("The target moved lamports that were not its to move.")]
    LamportsMoved,
    /// 6056
    #[msg("The account's bytes have changed since its migration: restore it with migrate-down.")]
    Touched,
    /// 6057
    #[msg("The bytes to restore do not have the hash recorded at migration.")]
    WrongBytes,
    /// 6058
    #[msg("The record is not at the status this needs.")]
    RecordStatus,
    /// 6059
    #[msg("The account still exists.")]
    AccountExists,
    /// 6060
    #[msg("The proof does not lead to the manifest's root.")]
    BadProof,
    /// 6061
    #[msg("Not every account is verified, quarantined or closed.")]
    NotComplete,
    /// 6062
    #[msg("Some accounts still hold the new layout; restore them, or give them up by vote.")]
    NotRestored,
    /// 6063
    #[msg("The members have voted for rollback; migration has ended.")]
    RollingBack,
    /// 6064
    #[msg("The manager cannot be registered with itself under a common policy.")]
    SelfRegistration,
    /// 6065
    #[msg("The buffers of this proposal must be closed first.")]
    BuffersOpen,
    /// 6066
    #[msg("Only the account that gets the rent back can close a buffer that was never proposed.")]
    NotRefund,
    /// 6067
    #[msg("A later upgrade has replaced the one this proposal made.")]
    Superseded,
    /// 6068
    #[msg("The program's upgrade authority is no longer the manager's address.")]
    AuthorityLost,
    /// 6069
    #[msg("The signer is not the authority of the buffer.")]
    NotBufferAuthority,
    /// 6070
    #[msg("The buffer has been attested already.")]
    AlreadyAttested,
    /// 6071
    #[msg("The ELF is cut short: upload it with the zeros at its end, which its headers need.")]
    ElfCutShort,
    /// 6072
    #[msg("The account must sign.")]
    SignatureMissing,
    /// 6073
    #[msg("Members must send this themselves: a program in between could hide what they sign.")]
    CalledByProgram,
    /// 6074
    #[msg("The guardian has paused this team; wait until the pause ends or vote to lift it.")]
    Paused,
    /// 6075
    #[msg("The signer is not the guardian of this team.")]
    NotGuardian,
    /// 6076
    #[msg("The guardian may pause again only after a rest as long as the pause.")]
    PauseTooSoon,
    /// 6077
    #[msg("Nothing is paused.")]
    NotPaused,
    /// 6078
    #[msg("A proposal that changes nothing but the guardian cannot be vetoed by the guardian.")]
    GuardianCannotVeto,
    /// 6079
    #[msg("The guardian must be neither a member nor all zero.")]
    GuardianIsMember,
    /// 6080
    #[msg("The account is not the Squads multisig that this team's vault belongs to.")]
    SquadsAccount,
    /// 6081
    #[msg("The Squads multisig has a config authority that can change its members at once.")]
    SquadsControlled,
    /// 6082
    #[msg("The Squads multisig has fewer voters or a lower threshold than this team demands.")]
    SquadsPolicy,
    /// 6083
    #[msg(
        "The vault must be the only voter, with a threshold of one, and its policy a majority of at least two."
    )]
    SquadsVoter,
    /// 6084
    #[msg(
        "The manager's own upgrades need five voters, four fifths of them, a lock of seven days and no Squads vault."
    )]
    CriticalPolicy,
    /// 6085
    #[msg("The timelock floor is at least 48 hours and can never be lowered.")]
    TimelockFloor,
    /// 6086
    #[msg("The proposal is of another kind than this instruction.")]
    NotThisKind,
    /// 6087
    #[msg("The team still holds programs or open proposals; transfer and end them first.")]
    ProgramsRegistered,
    /// 6088
    #[msg("The team was dissolved.")]
    Dissolved,
    /// 6089
    #[msg("The program is still under the manager's care.")]
    NotReleased,
    /// 6090
    #[msg("The new authority must sign, and be neither all zero nor the manager's own address.")]
    NewAuthority,
    /// 6091
    #[msg("A roll-forward needs an upgrade that is not complete and no other roll-forward.")]
    RollForward,
    /// 6092
    #[msg("The note is too long.")]
    NoteTooLong,
    /// 6093
    #[msg("The chunks of a buffer are attested one after the other, each once.")]
    ChunkOutOfOrder,
    /// 6094
    #[msg("The ELF is larger than 2 MiB: attest it chunk by chunk.")]
    NeedsChunks,
    /// 6095
    #[msg("The treasury must not be the program, its code or one of the buffers.")]
    SpillTarget,
    /// 6096
    #[msg("An older backup of this account is still there; close it first.")]
    BackupExists,
    /// 6097
    #[msg("The account's type is critical: its backup must come with it.")]
    BackupMissing,
    /// 6098
    #[msg("The account's type is not critical: it has no backup.")]
    NotCritical,
    /// 6099
    #[msg("There is an account at this address already.")]
    AddressTaken,
    /// 6100
    #[msg("The buffer is known to the manager: close it with its attestation.")]
    BufferKnown,
    /// 6101
    #[msg("An account that nobody changed must come back byte by byte.")]
    NotExact,
    /// 6102
    #[msg("An instruction names a program that is not the one it calls.")]
    WrongProgram,
    /// 6103
    #[msg("The oldest version a proposal migrates from is at most the one that runs.")]
    OldestVersion,
    /// 6104
    #[msg("The ELF fits into one transaction: attest it whole.")]
    NotChunked,
}
