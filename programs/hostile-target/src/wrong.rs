//! Every way in which the hostile target breaks the rules. The index of a vault chooses one.

/// A vault with an index from here on is migrated or restored wrongly.
pub const FIRST_WRONG_INDEX: u32 = 1_000;

/// One way to break the rules of a migration or a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Reports success without migrating.
    DoNothing,
    /// Raises the version and leaves the old layout.
    FlipVersion,
    /// Leaves another type of account behind.
    OtherType,
    /// Leaves a version that nobody agreed on.
    OtherVersion,
    /// Leaves more bytes than agreed.
    TooLong,
    /// Gives the account to the system program.
    GiveAway,
    /// Takes one lamport more from the payer than the growth costs.
    Overcharge,
    /// Pays for the growth, and one lamport to the payer, from the user's balance.
    TakeFromUser,
    /// Leaves an account that is not rent-exempt.
    Underfund,
    /// Empties the account into the payer's, to the last lamport of its rent.
    Drain,
    /// Migrates well, and uses the payer's signature to make the payer's account its own.
    TakePayer,
    /// Calls the manager back.
    CallManager,
    /// Calls the manager back as if to emit one of its events.
    EmitAsManager,
    /// Migrates correctly, and writes a forged event of the manager into the log.
    LogEvent,
    /// Uses the migrator's signature to move the program's authority.
    MoveAuthority,
    /// Uses the migrator's signature to replace the program.
    UpgradeItself,
    /// Uses the migrator's signature to close the program.
    CloseItself,
    /// Calls until there are no compute units left.
    BurnUnits,
    /// Migrates correctly; restores other bytes than it was given.
    RestoreOther,
    /// Migrates correctly; reports a restore that it did not do.
    RestoreNothing,
    /// Migrates correctly; on restore also pays the payer from the user's balance.
    RestoreTooMuch,
    /// Migrates correctly; on restore tries to spend from the wallet that gets rent back.
    RestoreSpend,
}

impl Wrong {
    /// Every variant; the vault with index [`FIRST_WRONG_INDEX`] + i gets the i-th.
    pub const ALL: [Self; 22] = [
        Self::DoNothing,
        Self::FlipVersion,
        Self::OtherType,
        Self::OtherVersion,
        Self::TooLong,
        Self::GiveAway,
        Self::Overcharge,
        Self::TakeFromUser,
        Self::Underfund,
        Self::Drain,
        Self::TakePayer,
        Self::CallManager,
        Self::EmitAsManager,
        Self::LogEvent,
        Self::MoveAuthority,
        Self::UpgradeItself,
        Self::CloseItself,
        Self::BurnUnits,
        Self::RestoreOther,
        Self::RestoreNothing,
        Self::RestoreTooMuch,
        Self::RestoreSpend,
    ];

    pub(crate) fn of(index: u32) -> Option<Self> {
        let at = usize::try_from(index.checked_sub(FIRST_WRONG_INDEX)?).ok()?;
        Self::ALL.get(at).copied()
    }
}
