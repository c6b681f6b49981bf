//! When an account may be closed: once no rollback can need it. A program that was handed over, or
//! whose state is closed, can no longer be rolled back.
use anchor_lang::prelude::*;

use super::account_version::{AccountStatus, AccountVersion};
use super::backup::AccountBackup;
use super::program::{Phase, ProgramUpgradeState};
use super::proposal::UpgradeProposal;

/// Whether `proposal` is the one that a rollback of the program of `state` would undo.
fn is_last(state: Option<&ProgramUpgradeState>, proposal: &Pubkey) -> bool {
    state.is_some_and(|state| state.last_executed == Some(*proposal))
}

impl UpgradeProposal {
    /// This proposal, whose address is `key`, and its buffers may be closed: it has ended, or a
    /// later upgrade of its program came after it. `state` is the program's state, `None` when
    /// closed.
    ///
    /// # Errors
    /// [`ManagerError::NotEnded`](crate::error::ManagerError::NotEnded).
    pub fn require_closable(
        &self,
        key: &Pubkey,
        state: Option<&ProgramUpgradeState>,
        now: i64,
    ) -> Result<()> {
        if self.status.is_executed() && !is_last(state, key) {
            return Ok(());
        }
        self.require_ended(now)
    }
}

impl AccountVersion {
    /// The record may be closed. `proposal` is the one that changed the record last, `None` when
    /// closed.
    ///
    /// # Errors
    /// While a migration or rollback is under way, or a rollback is possible.
    pub fn require_closable(
        &self,
        state: Option<&ProgramUpgradeState>,
        proposal: Option<&UpgradeProposal>,
        now: i64,
    ) -> Result<()> {
        if let Some(state) = state.filter(|state| state.phase != Phase::Released) {
            state.require_steady()?;
        }
        proposal.map_or(Ok(()), |proposal| proposal.require_closable(&self.proposal, state, now))
    }
}

impl AccountBackup {
    /// The backup may be closed: its account is back on the old layout, or no rollback is possible.
    /// `record` is its account's and `proposal` the one it was made for, `None` when closed.
    ///
    /// # Errors
    /// While a rollback may need the backup.
    pub fn require_closable(
        &self,
        state: Option<&ProgramUpgradeState>,
        record: Option<&AccountVersion>,
        proposal: Option<&UpgradeProposal>,
        now: i64,
    ) -> Result<()> {
        let Some(proposal) = proposal else { return Ok(()) };
        let by = proposal.executed_as(self.proposal);
        let status = record.map_or(AccountStatus::Pending, |record| record.status_under(&by));
        if matches!(status, AccountStatus::Pending | AccountStatus::Restored) {
            return Ok(());
        }
        proposal.require_closable(&self.proposal, state, now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ProposalStatus;
    use super::super::lifecycle::tests::{proposal, state};
    use super::*;
    use crate::fixtures::key;

    /// The program of `proposal`, executed last, and the proposal at `status`, its window until
    /// 100.
    fn executed(status: ProposalStatus) -> (ProgramUpgradeState, UpgradeProposal) {
        let last = ProgramUpgradeState { last_executed: Some(key(20)), ..state() };
        (last, UpgradeProposal { status, executed_slot: 7, rollback_until: 100, ..proposal() })
    }

    fn record(status: AccountStatus) -> AccountVersion {
        let new = AccountVersion::new(key(11), key(30), 1, 0, key(7));
        AccountVersion { status, proposal: key(20), slot: 8, ..new }
    }

    fn backup() -> AccountBackup {
        AccountBackup::new((key(11), key(30), key(20)), [1; 32], key(7), 0)
    }

    #[test]
    fn a_proposal_is_kept_while_a_rollback_is_possible() {
        use ProposalStatus::{Active, Completed, Migrating, RolledBack, Superseded, Timelocked};
        let gone = |status| executed(status).1.require_closable(&key(20), None, 1);
        for (status, now, over) in [
            (Active, 1_000, false),
            (Timelocked, 1_000, false),
            (Migrating, 1_000, false),
            (Completed, 100, false),
            (Completed, 101, true),
            (RolledBack, 1, true),
            (Superseded, 1, true),
        ] {
            let (state, proposal) = executed(status);
            let ended = proposal.require_closable(&key(20), Some(&state), now);
            assert_eq!(ended.is_ok(), over, "{status:?} at {now}");
            assert_eq!(gone(status).is_ok(), !matches!(status, Active | Timelocked), "{status:?}");
        }
        let (state, mut proposal) = executed(Completed);
        proposal.rollback_approved_at = 50;
        assert!(proposal.require_closable(&key(20), Some(&state), 101).is_err(), "it goes back");
        let later = ProgramUpgradeState { last_executed: Some(key(21)), ..state };
        assert!(
            proposal.require_closable(&key(20), Some(&later), 1).is_ok(),
            "the program went on"
        );
    }

    #[test]
    fn a_record_is_kept_during_a_migration_and_while_a_rollback_is_possible() {
        let record = record(AccountStatus::Verified);
        let (state, proposal) = executed(ProposalStatus::Completed);
        assert!(record.require_closable(Some(&state), Some(&proposal), 100).is_err());
        assert!(record.require_closable(Some(&state), Some(&proposal), 101).is_ok());
        assert!(record.require_closable(Some(&state), None, 1).is_ok(), "its proposal is closed");
        assert!(record.require_closable(None, Some(&proposal), 1).is_ok(), "its program has left");
        let moving = ProgramUpgradeState { phase: Phase::Migrating, ..state };
        assert!(record.require_closable(Some(&moving), None, 1).is_err());
        let left = ProgramUpgradeState { phase: Phase::Released, last_executed: None, ..moving };
        assert!(record.require_closable(Some(&left), Some(&proposal), 1).is_ok());
    }

    #[test]
    fn a_backup_is_kept_until_its_account_is_restored_or_no_rollback_is_possible() {
        use AccountStatus::{Closed, Migrated, Pending, Quarantined, Restored, Verified};
        let (state, proposal) = executed(ProposalStatus::Migrating);
        let spent = |record: Option<&AccountVersion>, proposal: &UpgradeProposal, now| {
            backup().require_closable(Some(&state), record, Some(proposal), now).is_ok()
        };
        for status in [Migrated, Verified, Quarantined, Closed] {
            assert!(!spent(Some(&record(status)), &proposal, 1), "{status:?}");
        }
        for status in [Pending, Restored] {
            assert!(spent(Some(&record(status)), &proposal, 1), "{status:?}");
        }
        assert!(spent(None, &proposal, 1), "a record is closed only when nothing needs it");
        let migrated = record(AccountStatus::Migrated);
        let elsewhere = AccountVersion { proposal: key(21), ..record(AccountStatus::Migrated) };
        assert!(spent(Some(&elsewhere), &proposal, 1), "the record speaks of another proposal");
        let again = UpgradeProposal { executed_slot: 9, ..executed(ProposalStatus::Migrating).1 };
        assert!(spent(Some(&migrated), &again, 1), "an earlier proposal had the same address");
        let (_, done) = executed(ProposalStatus::Completed);
        assert!(!spent(Some(&migrated), &done, 100));
        assert!(spent(Some(&migrated), &done, 101));
        assert!(backup().require_closable(None, Some(&migrated), Some(&proposal), 1).is_ok());
    }
}
