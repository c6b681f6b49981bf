//! The account of an upgrade proposal: its terms, its votes and its times. `voting` has the rules
//! until execution, this file and `lifecycle` those after it.
use anchor_lang::prelude::*;

use super::terms::Terms;
use super::votes::Ballot;
use crate::error::ManagerError;
use crate::runtime::require::require;

/// The status of a proposal. "Ready" is not stored: it is `Timelocked` after `eta`.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposalStatus {
    /// Votes are cast.
    Active,
    /// Approved; waits for `eta`, then for execution.
    Timelocked,
    /// The new code is in place; no account has been migrated.
    Executed,
    /// Accounts are being migrated.
    Migrating,
    /// Every account is verified, quarantined or closed.
    Completed,
    /// Approval became impossible.
    Rejected,
    /// Cancelled by its proposer or by the threshold.
    Cancelled,
    /// Not executed in time.
    Expired,
    /// The old code runs again.
    RolledBack,
    /// A roll-forward superseded it.
    Superseded,
}

impl ProposalStatus {
    /// Every status, in the order of the account's encoding.
    pub const ALL: [Self; 10] = [
        Self::Active,
        Self::Timelocked,
        Self::Executed,
        Self::Migrating,
        Self::Completed,
        Self::Rejected,
        Self::Cancelled,
        Self::Expired,
        Self::RolledBack,
        Self::Superseded,
    ];

    /// The status's name, the same on chain, in SQL, on screen and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Timelocked => "Timelocked",
            Self::Executed => "Executed",
            Self::Migrating => "Migrating",
            Self::Completed => "Completed",
            Self::Rejected => "Rejected",
            Self::Cancelled => "Cancelled",
            Self::Expired => "Expired",
            Self::RolledBack => "RolledBack",
            Self::Superseded => "Superseded",
        }
    }

    /// The status with this [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Whether votes can still change the outcome.
    #[must_use]
    pub fn is_voting(self) -> bool {
        matches!(self, Self::Active | Self::Timelocked)
    }

    /// Whether the new code is in place because of this proposal.
    #[must_use]
    pub fn is_executed(self) -> bool {
        matches!(self, Self::Executed | Self::Migrating | Self::Completed)
    }

    /// Whether nothing can happen any more but closing. `Completed` can still be rolled back.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Rejected | Self::Cancelled | Self::Expired | Self::RolledBack | Self::Superseded
        )
    }
}

/// One proposal to upgrade one program.
#[account]
#[derive(InitSpace, Debug, PartialEq, Eq)]
pub struct UpgradeProposal {
    /// [`super::LAYOUT`] at creation.
    pub layout: u8,
    /// Bump of this address.
    pub bump: u8,
    /// Its status.
    pub status: ProposalStatus,
    /// Who proposed.
    pub proposer: Pubkey,
    /// Who paid for this account.
    pub payer: Pubkey,
    /// Chain time of the proposal.
    pub proposed_at: i64,
    /// Digest of `terms`.
    pub digest: [u8; 32],
    /// What the votes agree to.
    pub terms: Terms,
    /// The votes.
    pub ballot: Ballot,
    /// Chain time of the deciding approval, 0 before.
    pub approved_at: i64,
    /// Slot of the deciding approval, 0 before.
    pub approved_slot: u64,
    /// Earliest chain time of execution, 0 before the deciding approval.
    pub eta: i64,
    /// Latest chain time of execution, 0 before the deciding approval.
    pub window_end: i64,
    /// Chain time of execution, 0 before.
    pub executed_at: i64,
    /// Slot of execution, 0 before.
    pub executed_slot: u64,
    /// Chain time until which members can vote for rollback, 0 before execution.
    pub rollback_until: i64,
    /// Chain time at which the members' votes for rollback reached the threshold, 0 before.
    pub rollback_approved_at: i64,
    /// Zero; reserved for later layouts.
    pub reserved: [u8; 32],
}

impl UpgradeProposal {
    /// Members may vote for rollback now. Once the threshold was reached inside the window, votes
    /// stay possible after it: members may still have to give up accounts that cannot be restored,
    /// and a rollback that stops half-way would be worse than a late one.
    ///
    /// # Errors
    /// [`ManagerError::NotExecuted`] or [`ManagerError::RollbackWindowOver`].
    pub fn require_rollback_vote(&self, now: i64) -> Result<()> {
        require!(self.status.is_executed(), ManagerError::NotExecuted);
        let open = now <= self.rollback_until || self.rollback_approved_at != 0;
        require!(open, ManagerError::RollbackWindowOver);
        Ok(())
    }

    /// Members voted for rollback, and the old code is not installed yet.
    ///
    /// # Errors
    /// [`ManagerError::NotExecuted`] or [`ManagerError::RollbackNotApproved`].
    pub fn require_rolling_back(&self) -> Result<()> {
        require!(self.status.is_executed(), ManagerError::NotExecuted);
        require!(self.rollback_approved_at != 0, ManagerError::RollbackNotApproved);
        Ok(())
    }

    /// The proposal has ended and no rollback of it is possible.
    ///
    /// # Errors
    /// [`ManagerError::NotEnded`].
    pub fn require_ended(&self, now: i64) -> Result<()> {
        let completed = self.status == ProposalStatus::Completed
            && self.rollback_approved_at == 0
            && now > self.rollback_until;
        require!(self.status.is_final() || completed, ManagerError::NotEnded);
        Ok(())
    }
}
