//! Every wrong the target knows, by the index of the vault that suffers it.

/// Vaults with an index from here on name a wrong to do.
pub const FIRST_WRONG_INDEX: u32 = 1_000;

/// A wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Says that it migrated.
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
    /// Migrates well, and logs what an event of the manager's looks like in a log.
    LogEvent,
    /// Uses the migrator's signature to move the program's authority.
    MoveAuthority,
    /// Uses the migrator's signature to replace the program.
    UpgradeItself,
    /// Uses the migrator's signature to close the program.
    CloseItself,
    /// Calls until there are no compute units left.
    BurnUnits,
    /// Migrates well, then restores other bytes than it was given.
    RestoreOther,
    /// Migrates well, then says that it restored.
    RestoreNothing,
    /// Migrates well, then pays the payer back from the user's balance too.
    RestoreTooMuch,
    /// Migrates well, then spends from the wallet that gets rent back, as if it had signed.
    RestoreSpend,
}

impl Wrong {
    /// Every wrong: vault [`FIRST_WRONG_INDEX`] + i suffers the i-th.
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
