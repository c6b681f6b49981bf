//! Every error of the program, as a sentence that an operator can act on.
use anchor_lang::error::AnchorError;
use anchor_lang::prelude::*;

/// Declares [`ManagerError`] and the texts that an error logs. Anchor generates a branch and an
/// allocation for every name and every sentence, 22 KB of the ELF. Here all texts are one string,
/// with their lengths beside it; neither holds a pointer that the loader would have to relocate.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $message:tt,)+) => {
        /// Codes start at 6000 in the order below; new ones go to the end.
        #[error_code]
        #[derive(PartialEq, Eq)]
        pub enum ManagerError {
            $($(#[$doc])* #[msg($message)] $name,)+
        }

        /// Name and sentence of every error, one after the other.
        const TEXTS: &str = concat!($(stringify!($name), $message),+);

        /// How many bytes of [`TEXTS`] each name and each sentence takes.
        const LENGTHS: &[[u8; 2]] =
            &[$([length(stringify!($name)), length($message)]),+];

        /// Every error, in the order of the codes.
        pub const ALL: &[ManagerError] = &[$(ManagerError::$name),+];
    };
}

/// The length of a text in [`TEXTS`]; a longer one does not compile.
const fn length(text: &str) -> u8 {
    assert!(text.len() <= u8::MAX as usize, "a sentence is too long");
    text.len() as u8
}

/// Name and sentence of `error`.
fn name_and_sentence(error: ManagerError) -> Option<(&'static str, &'static str)> {
    let (at, size) = (error as usize, |text: &u8| usize::from(*text));
    let [name, sentence] = LENGTHS.get(at)?;
    let before = LENGTHS.iter().take(at).flatten().map(size).sum();
    let (_, rest) = TEXTS.split_at_checked(before)?;
    let (name, rest) = rest.split_at_checked(size(name))?;
    Some((name, rest.get(..size(sentence))?))
}

/// Turns `error` into Anchor's error: the same value as Anchor's own conversion, in a fraction of
/// its code. Cold and never inlined, so that the many places that return an error stay small.
#[cold]
#[inline(never)]
pub(crate) fn to_error(error: ManagerError) -> Error {
    let (name, sentence) = name_and_sentence(error).unwrap_or_default();
    AnchorError {
        error_name: name.to_owned(),
        error_code_number: error.into(),
        error_msg: sentence.to_owned(),
        error_origin: None,
        compared_values: None,
    }
    .into()
}

/// Turns a missing value into one of our errors.
pub(crate) trait OrErr<T> {
    /// The value, or `error`.
    fn or_err(self, error: ManagerError) -> Result<T>;
}

impl<T> OrErr<T> for Option<T> {
    #[inline(always)]
    fn or_err(self, error: ManagerError) -> Result<T> {
        self.ok_or_else(
            #[inline(always)]
            || to_error(error),
        )
    }
}

impl<T, E> OrErr<T> for core::result::Result<T, E> {
    #[inline(always)]
    fn or_err(self, error: ManagerError) -> Result<T> {
        self.map_err(
            #[inline(always)]
            |_| to_error(error),
        )
    }
}

error_codes! {
    /// 6000
    MemberCount = "A multisig has 1 to 16 members.",
    /// 6001
    MembersNotSortedUnique = "Members must be sorted by key and unique.",
    /// 6002
    MemberIsZero = "A member key is all zero.",
    /// 6003
    MemberRoles =
        "A member needs at least one of the roles propose, vote, execute, and no other bits.",
    /// 6004
    Threshold = "The threshold must be more than half of the voters and at most all of them.",
    /// 6005
    NobodyProposes = "At least one member must be allowed to propose.",
    /// 6006
    NobodyExecutes = "At least one member must be allowed to execute.",
    /// 6007
    Timelock = "The timelock must lie between its floor and 90 days.",
    /// 6008
    Window = "A window lasts from one hour to 90 days.",
    /// 6009
    OpenCap = "The cap on open proposals is 1 to 16.",
    /// 6010
    TreasuryIsZero = "The treasury is all zero.",
    /// 6011
    NotAMember = "The signer is not a member of this multisig.",
    /// 6012
    RoleMissing = "The member lacks the role for this.",
    /// 6013
    TooManyOpen = "The member has as many open proposals as the multisig allows; end one first.",
    /// 6014
    Overflow = "A number left its range.",
    /// 6015
    TypeRule = "A type rule is unsound: check discriminator, version position and lengths.",
    /// 6016
    VersionNotNewer = "The new version must be higher than the one that runs.",
    /// 6017
    SameBuffer = "Upgrade and rollback need two buffers.",
    /// 6018
    Manifest = "The manifest's root and count do not fit each other or the type rules.",
    /// 6019
    ExpiryOutOfRange = "The expiry must lie behind the timelock and at most 180 days ahead.",
    /// 6020
    SourceTooLong = "Source link, commit or image is too long.",
    /// 6021
    AlreadyVoted = "The member has cast this vote already.",
    /// 6022
    NoVote = "The member has no vote to take back.",
    /// 6023
    StaleProposal = "The multisig has changed since this proposal was made; propose again.",
    /// 6024
    DigestMismatch =
        "The vote names another digest than the proposal's: look at the proposal again.",
    /// 6025
    NotVoting = "The proposal is not open for votes.",
    /// 6026
    Expired = "The proposal has expired.",
    /// 6027
    NotExpired = "The proposal has not expired yet.",
    /// 6028
    NotTimelocked = "The proposal is not approved and waiting.",
    /// 6029
    TimelockNotOver = "The timelock is not over.",
    /// 6030
    TooFewSlots = "The clock says the timelock is over, but too few slots have passed; wait.",
    /// 6031
    NotExecuted = "The proposal has not been executed, or is over.",
    /// 6032
    RollbackWindowOver = "The rollback window is over.",
    /// 6033
    RollbackNotApproved = "The members have not voted for rollback.",
    /// 6034
    NotEnded = "This can be closed only when its proposal has ended and no rollback is possible.",
    /// 6035
    DurableNonce = "A vote in a durable-nonce transaction does not count for this multisig.",
    /// 6036
    NotALoaderAccount =
        "The account is not owned by the upgradeable loader or not of the expected kind.",
    /// 6037
    NotUpgradeAuthority = "The signer is not the upgrade authority of the program.",
    /// 6038
    BufferNotFrozen =
        "The buffer's authority is not the manager's address for this program: freeze it first.",
    /// 6039
    WrongBufferRole = "The buffer was not frozen for this role.",
    /// 6040
    TrimmedLength = "The trimmed length does not end at the last byte that is not zero.",
    /// 6041
    ElfTooLarge = "The ELF is larger than an account of 10 MiB can hold.",
    /// 6042
    NotAnElf = "The bytes in the buffer do not start like an ELF.",
    /// 6043
    NotAttested = "The buffer has not been attested.",
    /// 6044
    HashMismatch = "The buffer's bytes do not have the hash that was attested.",
    /// 6045
    RollbackNotLive = "The rollback buffer does not equal the code that runs.",
    /// 6046
    BufferTaken = "Another proposal has pinned this buffer.",
    /// 6047
    LiveProposal = "The program has a live proposal; end it first.",
    /// 6048
    NotSteady =
        "Accounts of the program are on their way; finish the migration or the rollback first.",
    /// 6049
    WrongAccount = "An account does not belong to this proposal.",
    /// 6050
    SameSlot =
        "The new code is not callable in the slot of its upgrade; try again in the next slot.",
    /// 6051
    BadBatch = "Accounts must come in pairs or triples, in ascending order, each once.",
    /// 6052
    NotEligible =
        "The account is not of a pinned type, not owned by the target, or not at the old version.",
    /// 6053
    AlreadyMigrated = "The account was migrated by this proposal already.",
    /// 6054
    TargetBroke = "After the target's call the account is not what its type rule demands.",
    /// 6055
    LamportsMoved = "The target moved lamports that were not its to move.",
    /// 6056
    Touched = "The account's bytes have changed since its migration: restore it with migrate-down.",
    /// 6057
    WrongBytes = "The bytes to restore do not have the hash recorded at migration.",
    /// 6058
    RecordStatus = "The record is not at the status this needs.",
    /// 6059
    AccountExists = "The account still exists.",
    /// 6060
    BadProof = "The proof does not lead to the manifest's root.",
    /// 6061
    NotComplete = "Not every account is verified, quarantined or closed.",
    /// 6062
    NotRestored = "Some accounts still hold the new layout; restore them, or give them up by vote.",
    /// 6063
    RollingBack = "The members have voted for rollback; migration has ended.",
    /// 6064
    SelfRegistration = "The manager cannot be registered with itself under a common policy.",
    /// 6065
    BuffersOpen = "The buffers of this proposal must be closed first.",
    /// 6066
    NotRefund =
        "Only the account that gets the rent back can close a buffer that was never proposed.",
    /// 6067
    Superseded = "A later upgrade has replaced the one this proposal made.",
    /// 6068
    AuthorityLost = "The program's upgrade authority is no longer the manager's address.",
    /// 6069
    NotBufferAuthority = "The signer is not the authority of the buffer.",
    /// 6070
    AlreadyAttested = "The buffer has been attested already.",
    /// 6071
    ElfCutShort =
        "The ELF is cut short: upload it with the zeros at its end, which its headers need.",
    /// 6072
    SignatureMissing = "The account must sign.",
    /// 6073
    CalledByProgram =
        "Members must send this themselves: a program in between could hide what they sign.",
    /// 6074
    Paused = "The guardian has paused this multisig; wait until the pause ends or vote to lift it.",
    /// 6075
    NotGuardian = "The signer is not the guardian of this multisig.",
    /// 6076
    PauseTooSoon = "The guardian may pause again only after a rest as long as the pause.",
    /// 6077
    NotPaused = "Nothing is paused.",
    /// 6078
    GuardianCannotVeto =
        "A proposal that changes nothing but the guardian cannot be vetoed by the guardian.",
    /// 6079
    GuardianIsMember = "The guardian must be neither a member nor all zero.",
    /// 6080
    SquadsAccount = "The account is not the Squads multisig that this multisig's vault belongs to.",
    /// 6081
    SquadsControlled =
        "The Squads multisig has a config authority that can change its members at once.",
    /// 6082
    SquadsPolicy =
        "The Squads multisig has fewer voters or a lower threshold than this multisig demands.",
    /// 6083
    SquadsVoter =
        "The vault must be the only voter, with a threshold of one, and its policy a majority of at least two.",
    /// 6084
    CriticalPolicy =
        "The manager's own upgrades need five voters, four fifths of them, a lock of seven days and no Squads vault.",
    /// 6085
    TimelockFloor = "The timelock floor is at least 48 hours and can never be lowered.",
    /// 6086
    NotThisKind = "The proposal is of another kind than this instruction.",
    /// 6087
    ProgramsRegistered =
        "The multisig still holds programs or open proposals; transfer and end them first.",
    /// 6088
    Dissolved = "The multisig was dissolved.",
    /// 6089
    NotReleased = "The program is still under the manager's care.",
    /// 6090
    NewAuthority =
        "The new authority must sign, and be neither all zero nor the manager's own address.",
    /// 6091
    RollForward = "A roll-forward needs an upgrade that is not complete and no other roll-forward.",
    /// 6092
    NoteTooLong = "The note is too long.",
    /// 6093
    ChunkOutOfOrder = "The chunks of a buffer are attested one after the other, each once.",
    /// 6094
    NeedsChunks = "The ELF is larger than 2 MiB: attest it chunk by chunk.",
    /// 6095
    SpillTarget = "The treasury must not be the program, its code or one of the buffers.",
    /// 6096
    BackupExists = "An older backup of this account is still there; close it first.",
    /// 6097
    BackupMissing = "The account's type is critical: its backup must come with it.",
    /// 6098
    NotCritical = "The account's type is not critical: it has no backup.",
    /// 6099
    AddressTaken = "There is an account at this address already.",
    /// 6100
    BufferKnown = "The buffer is known to the manager: close it with its attestation.",
    /// 6101
    NotExact = "An account that nobody changed must come back byte by byte.",
    /// 6102
    WrongProgram = "An instruction names a program that is not the one it calls.",
    /// 6103
    OldestVersion = "The oldest version a proposal migrates from is at most the one that runs.",
    /// 6104
    NotChunked = "The ELF fits into one transaction: attest it whole.",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_error_equals_anchors_own_conversion() {
        assert_eq!(ALL.len(), LENGTHS.len());
        for (code, error) in ALL.iter().enumerate() {
            assert_eq!(*error as usize, code);
            let (name, sentence) = name_and_sentence(*error).unwrap();
            assert_eq!((name, sentence), (&error.name()[..], &error.to_string()[..]));
            assert_eq!(format!("{:?}", to_error(*error)), format!("{:?}", Error::from(*error)));
        }
    }
}
