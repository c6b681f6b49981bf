//! What both kinds of proposals share while members vote: the votes, the timelock, the execution
//! window, cancelling and expiring. Pure: the clock comes in as a value.
use anchor_lang::prelude::*;

use super::governance::{Action, GovernanceProposal};
use super::multisig::{MultisigConfig, role};
use super::proposal::{ProposalStatus, UpgradeProposal};
use super::votes::{Ballot, Choice, Tally};
use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;

/// Slots that must pass per 1,000 seconds of timelock. If validators let the chain's clock run
/// ahead, the timelock still lasts this many slots, at 800 ms each.
pub const SLOT_FLOOR_PER_1000_SECONDS: u64 = 1_250;

/// What changes in a proposal while members vote and wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VotingState {
    /// The proposal's status.
    pub status: ProposalStatus,
    /// Chain time of the deciding approval, 0 before.
    pub approved_at: i64,
    /// Slot of the deciding approval, 0 before.
    pub approved_slot: u64,
    /// Earliest chain time of execution, 0 before the deciding approval.
    pub eta: i64,
    /// Latest chain time of execution, 0 before the deciding approval.
    pub window_end: i64,
}

/// A proposal that members vote on, of either kind.
pub trait Votable {
    /// Status and times.
    fn voting_state(&self) -> VotingState;
    /// Replaces status and times.
    fn set_voting_state(&mut self, voting: VotingState);
    /// The votes.
    fn ballot(&self) -> &Ballot;
    /// The votes, mutable.
    fn ballot_mut(&mut self) -> &mut Ballot;
    /// Who proposed.
    fn proposer(&self) -> Pubkey;
    /// The multisig.
    fn multisig(&self) -> Pubkey;
    /// The program that the proposal is about; `None` when it is about the multisig.
    fn program(&self) -> Option<Pubkey>;
    /// The multisig's epoch when the proposal was created.
    fn config_epoch(&self) -> u64;
    /// Chain time after which nobody can execute.
    fn expires_at(&self) -> i64;
    /// The digest that votes must name.
    fn voted_digest(&self) -> &[u8; 32];
    /// Whether the guardian of `config` may veto the proposal.
    fn may_be_vetoed(&self, config: &MultisigConfig) -> bool;

    /// The multisig's rules have not changed since the proposal was created.
    ///
    /// # Errors
    /// [`ManagerError::StaleProposal`].
    fn require_fresh(&self, config: &MultisigConfig) -> Result<()> {
        require!(self.config_epoch() == config.config_epoch, ManagerError::StaleProposal);
        Ok(())
    }

    /// The voter saw these terms: `digest` is theirs.
    ///
    /// # Errors
    /// [`ManagerError::DigestMismatch`].
    fn require_digest(&self, digest: &[u8; 32]) -> Result<()> {
        require!(self.voted_digest() == digest, ManagerError::DigestMismatch);
        Ok(())
    }

    /// Last chain time at which the proposal can be executed.
    #[must_use]
    fn deadline(&self) -> i64 {
        let voting = self.voting_state();
        if voting.status == ProposalStatus::Timelocked {
            voting.window_end
        } else {
            self.expires_at()
        }
    }

    /// Sets status and times to what follows from the votes. Reaching the threshold starts the
    /// timelock, falling below it stops the timelock, and a proposal that can no longer be approved
    /// is rejected.
    ///
    /// # Errors
    /// [`ManagerError::Overflow`].
    fn update_status(&mut self, config: &MultisigConfig, now: i64, slot: u64) -> Result<()> {
        let mut voting = self.voting_state();
        match (self.ballot().tally(config), voting.status) {
            (Tally::Approved, ProposalStatus::Active) => {
                let eta =
                    now.checked_add(i64::from(config.timelock)).or_err(ManagerError::Overflow)?;
                let end = eta
                    .checked_add(i64::from(config.execution_window))
                    .or_err(ManagerError::Overflow)?;
                let status = ProposalStatus::Timelocked;
                let window_end = end.min(self.expires_at());
                voting =
                    VotingState { status, approved_at: now, approved_slot: slot, eta, window_end };
            }
            (Tally::Open, ProposalStatus::Timelocked) => {
                let status = ProposalStatus::Active;
                voting =
                    VotingState { status, approved_at: 0, approved_slot: 0, eta: 0, window_end: 0 };
            }
            (Tally::Rejected, ProposalStatus::Active | ProposalStatus::Timelocked) => {
                voting.status = ProposalStatus::Rejected;
            }
            _ => return Ok(()),
        }
        self.set_voting_state(voting);
        Ok(())
    }

    /// Casts the vote of `member` and updates the status.
    ///
    /// # Errors
    /// [`ManagerError::AlreadyVoted`].
    fn cast(
        &mut self,
        member: Pubkey,
        choice: Choice,
        config: &MultisigConfig,
        (now, slot): (i64, u64),
    ) -> Result<()> {
        self.ballot_mut().cast(member, choice, now)?;
        self.update_status(config, now, slot)
    }

    /// Removes the vote of `member` and updates the status.
    ///
    /// # Errors
    /// [`ManagerError::NoVote`].
    fn revoke(
        &mut self,
        member: &Pubkey,
        config: &MultisigConfig,
        (now, slot): (i64, u64),
    ) -> Result<()> {
        self.ballot_mut().revoke(member)?;
        self.update_status(config, now, slot)
    }

    /// A vote may be cast now.
    ///
    /// # Errors
    /// [`ManagerError::NotVoting`] or [`ManagerError::Expired`].
    fn require_voting(&self, now: i64) -> Result<()> {
        require!(self.voting_state().status.is_voting(), ManagerError::NotVoting);
        require!(now <= self.deadline(), ManagerError::Expired);
        Ok(())
    }

    /// First slot at which the timelock of `timelock` seconds can be over.
    #[must_use]
    fn slot_floor(&self, timelock: u32) -> u64 {
        let slots = u64::from(timelock).saturating_mul(SLOT_FLOOR_PER_1000_SECONDS) / 1000;
        self.voting_state().approved_slot.saturating_add(slots)
    }

    /// The timelock is over, in seconds and in slots, and the execution window is open.
    ///
    /// # Errors
    /// [`ManagerError::NotTimelocked`], [`ManagerError::TimelockNotOver`],
    /// [`ManagerError::TooFewSlots`], [`ManagerError::Expired`].
    fn require_executable(&self, config: &MultisigConfig, now: i64, slot: u64) -> Result<()> {
        let voting = self.voting_state();
        require!(voting.status == ProposalStatus::Timelocked, ManagerError::NotTimelocked);
        require!(now >= voting.eta, ManagerError::TimelockNotOver);
        require!(slot >= self.slot_floor(config.timelock), ManagerError::TooFewSlots);
        require!(now <= voting.window_end, ManagerError::Expired);
        Ok(())
    }

    /// Counts the request of `member` to cancel. The proposer before any vote, and the guardian,
    /// cancel at once; otherwise as many voters must ask as it takes to approve.
    ///
    /// # Errors
    /// [`ManagerError::NotVoting`], [`ManagerError::GuardianCannotVeto`],
    /// [`ManagerError::AlreadyVoted`], or what the member lacks.
    fn cancel(&mut self, member: Pubkey, config: &MultisigConfig) -> Result<()> {
        require!(self.voting_state().status.is_voting(), ManagerError::NotVoting);
        let withdrawn = member == self.proposer() && self.ballot().votes.is_empty();
        let vetoed = !withdrawn && config.guardian == Some(member);
        if vetoed {
            require!(self.may_be_vetoed(config), ManagerError::GuardianCannotVeto);
        } else if !withdrawn {
            config.require_role(&member, role::VOTE)?;
        }
        if withdrawn || vetoed || self.ballot_mut().cast_cancel(member, config)? {
            self.end(ProposalStatus::Cancelled);
        }
        Ok(())
    }

    /// The proposal can never be executed: its time is over, or the multisig has changed since.
    ///
    /// # Errors
    /// [`ManagerError::NotVoting`] or [`ManagerError::NotExpired`].
    fn require_expired(&self, config: &MultisigConfig, now: i64) -> Result<()> {
        require!(self.voting_state().status.is_voting(), ManagerError::NotVoting);
        let stale = self.config_epoch() != config.config_epoch;
        require!(stale || now > self.deadline(), ManagerError::NotExpired);
        Ok(())
    }

    /// Ends the proposal with `status`. The times stay, for the record.
    fn end(&mut self, status: ProposalStatus) {
        let voting = self.voting_state();
        self.set_voting_state(VotingState { status, ..voting });
    }
}

/// The accessors of [`Votable`]; both proposal types have fields of these names.
macro_rules! common_fields {
    () => {
        #[inline]
        fn voting_state(&self) -> VotingState {
            VotingState {
                status: self.status,
                approved_at: self.approved_at,
                approved_slot: self.approved_slot,
                eta: self.eta,
                window_end: self.window_end,
            }
        }

        #[inline]
        fn set_voting_state(&mut self, voting: VotingState) {
            self.status = voting.status;
            (self.approved_at, self.approved_slot) = (voting.approved_at, voting.approved_slot);
            (self.eta, self.window_end) = (voting.eta, voting.window_end);
        }

        fn ballot(&self) -> &Ballot {
            &self.ballot
        }

        fn ballot_mut(&mut self) -> &mut Ballot {
            &mut self.ballot
        }

        fn proposer(&self) -> Pubkey {
            self.proposer
        }

        fn multisig(&self) -> Pubkey {
            self.terms.multisig
        }

        fn config_epoch(&self) -> u64 {
            self.terms.config_epoch
        }

        fn expires_at(&self) -> i64 {
            self.terms.expires_at
        }

        fn voted_digest(&self) -> &[u8; 32] {
            &self.digest
        }
    };
}

impl Votable for UpgradeProposal {
    common_fields!();

    fn program(&self) -> Option<Pubkey> {
        Some(self.terms.program)
    }

    fn may_be_vetoed(&self, _config: &MultisigConfig) -> bool {
        true
    }
}

impl Votable for GovernanceProposal {
    common_fields!();

    fn program(&self) -> Option<Pubkey> {
        self.terms.action.program()
    }

    /// Everything except a change of the guardian alone: a guardian must not block its own
    /// replacement.
    fn may_be_vetoed(&self, config: &MultisigConfig) -> bool {
        match &self.terms.action {
            Action::ConfigChange(rules) => {
                let mut same = config.rules();
                same.guardian = rules.guardian;
                same != *rules
            }
            Action::TransferAuthority(_) | Action::Dissolve => true,
        }
    }
}
