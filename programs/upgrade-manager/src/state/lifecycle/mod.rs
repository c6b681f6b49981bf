//! What moves a proposal and its program from one status to the next, and what must hold before.
//! Pure: clock and keys come in, nothing is read or written elsewhere.
use anchor_lang::prelude::*;

use super::{
    Ballot, Counters, LAYOUT, MultisigConfig, Phase, ProgramUpgradeState, ProposalKind,
    ProposalStatus, Terms, UpgradeProposal,
};
use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;

impl UpgradeProposal {
    /// A new proposal of `terms`.
    ///
    /// # Errors
    /// The first rule that `terms` break.
    pub fn new(
        terms: Terms,
        bump: u8,
        (proposer, payer): (Pubkey, Pubkey),
        config: &MultisigConfig,
        now: i64,
    ) -> Result<Self> {
        terms.invariant(now, config.timelock)?;
        Ok(Self {
            layout: LAYOUT,
            bump,
            status: ProposalStatus::Active,
            proposer,
            payer,
            proposed_at: now,
            digest: terms.digest()?,
            terms,
            ballot: Ballot::default(),
            approved_at: 0,
            approved_slot: 0,
            eta: 0,
            window_end: 0,
            executed_at: 0,
            executed_slot: 0,
            rollback_until: 0,
            rollback_approved_at: 0,
            reserved: [0; 32],
        })
    }

    /// The new code is in place because of this proposal.
    ///
    /// # Errors
    /// [`ManagerError::NotExecuted`].
    pub fn require_executed(&self) -> Result<()> {
        require!(self.status.is_executed(), ManagerError::NotExecuted);
        Ok(())
    }

    /// The new code goes in place now.
    ///
    /// # Errors
    /// [`ManagerError::Overflow`].
    pub fn execute(&mut self, config: &MultisigConfig, now: i64, slot: u64) -> Result<()> {
        let window = i64::from(config.rollback_window);
        self.rollback_until = now.checked_add(window).or_err(ManagerError::Overflow)?;
        (self.executed_at, self.executed_slot) = (now, slot);
        self.status = ProposalStatus::Executed;
        Ok(())
    }

    /// The first account is on its way. A completed proposal stays completed: an account that was
    /// overlooked may follow.
    pub fn start_migrating(&mut self) {
        if self.status == ProposalStatus::Executed {
            self.status = ProposalStatus::Migrating;
        }
    }

    /// The guardian decides for rollback alone: inside the window, once, giving nothing up, and not
    /// for the manager itself.
    ///
    /// # Errors
    /// [`ManagerError::RoleMissing`], [`ManagerError::CriticalPolicy`],
    /// [`ManagerError::AlreadyVoted`] or [`ManagerError::RollbackWindowOver`].
    pub fn guardian_rollback(&mut self, give_up: bool, now: i64) -> Result<()> {
        require!(!give_up, ManagerError::RoleMissing);
        require!(self.terms.program != crate::ID, ManagerError::CriticalPolicy);
        require!(self.rollback_approved_at == 0, ManagerError::AlreadyVoted);
        require!(now <= self.rollback_until, ManagerError::RollbackWindowOver);
        self.rollback_approved_at = now;
        Ok(())
    }

    /// Casts a vote for rollback; true when it is the one that reaches the threshold.
    ///
    /// # Errors
    /// [`ManagerError::AlreadyVoted`].
    pub fn cast_rollback(
        &mut self,
        member: Pubkey,
        give_up: bool,
        config: &MultisigConfig,
        now: i64,
    ) -> Result<bool> {
        self.ballot.cast_rollback(member, give_up, config)?;
        let decides = self.rollback_approved_at == 0 && self.ballot.rollback_approved(config);
        if decides {
            self.rollback_approved_at = now;
        }
        Ok(decides)
    }
}

impl ProgramUpgradeState {
    /// `proposal` is the one that has not ended.
    ///
    /// # Errors
    /// [`ManagerError::WrongAccount`].
    pub fn require_live(&self, proposal: &Pubkey) -> Result<()> {
        require!(self.live_proposal == Some(*proposal), ManagerError::WrongAccount);
        Ok(())
    }

    /// The code of `proposal`, of `kind`, may go in place, and `replaced` is the proposal whose
    /// place it takes.
    ///
    /// # Errors
    /// [`ManagerError::WrongAccount`] or [`ManagerError::NotSteady`].
    pub fn require_can_upgrade(
        &self,
        proposal: &Pubkey,
        kind: ProposalKind,
        replaced: Option<Pubkey>,
    ) -> Result<()> {
        match kind {
            ProposalKind::Upgrade => {
                self.require_live(proposal)?;
                self.require_steady()?;
            }
            ProposalKind::RollForward => {
                require!(self.roll_forward == Some(*proposal), ManagerError::WrongAccount);
            }
        }
        require!(replaced == self.unfinished(), ManagerError::WrongAccount);
        Ok(())
    }

    /// The authority may leave by `proposal`.
    ///
    /// # Errors
    /// [`ManagerError::WrongAccount`], [`ManagerError::NotSteady`] or
    /// [`ManagerError::LiveProposal`].
    pub fn require_releasable(&self, proposal: &Pubkey) -> Result<()> {
        self.require_live(proposal)?;
        self.require_steady()?;
        require!(self.roll_forward.is_none(), ManagerError::LiveProposal);
        Ok(())
    }

    /// No accounts are on their way.
    ///
    /// # Errors
    /// [`ManagerError::NotSteady`].
    pub fn require_steady(&self) -> Result<()> {
        require!(self.phase == Phase::Steady, ManagerError::NotSteady);
        Ok(())
    }

    /// `terms` start from what runs now.
    ///
    /// # Errors
    /// [`ManagerError::RollbackNotLive`] or [`ManagerError::Superseded`].
    pub fn require_runs(&self, terms: &Terms) -> Result<()> {
        require!(self.version == terms.from_version, ManagerError::Superseded);
        require!(self.elf_hash == terms.rollback.sha256, ManagerError::RollbackNotLive);
        Ok(())
    }

    /// `proposal` is the one that was executed last.
    ///
    /// # Errors
    /// [`ManagerError::Superseded`].
    pub fn require_last(&self, proposal: &Pubkey) -> Result<()> {
        require!(self.last_executed == Some(*proposal), ManagerError::Superseded);
        Ok(())
    }

    /// Accounts may move to the layout of `proposal`.
    ///
    /// # Errors
    /// [`ManagerError::Superseded`] or [`ManagerError::RollingBack`].
    pub fn require_migrating(&self, proposal: &Pubkey) -> Result<()> {
        self.require_last(proposal)?;
        require!(self.phase != Phase::RollingBack, ManagerError::RollingBack);
        Ok(())
    }

    /// Accounts may move back from the layout of `proposal`.
    ///
    /// # Errors
    /// [`ManagerError::Superseded`] or [`ManagerError::RollbackNotApproved`].
    pub fn require_rolling_back(&self, proposal: &Pubkey) -> Result<()> {
        self.require_last(proposal)?;
        require!(self.phase == Phase::RollingBack, ManagerError::RollbackNotApproved);
        Ok(())
    }

    /// The code that was installed last can be called in `slot`.
    ///
    /// # Errors
    /// [`ManagerError::SameSlot`].
    pub fn require_callable(&self, slot: u64) -> Result<()> {
        require!(slot > self.executed_slot, ManagerError::SameSlot);
        Ok(())
    }

    /// `proposal` has ended.
    pub fn end(&mut self, proposal: &Pubkey) {
        if self.live_proposal == Some(*proposal) {
            self.live_proposal = None;
        }
        if self.roll_forward == Some(*proposal) {
            self.roll_forward = None;
        }
    }

    /// A new proposal of `kind` may take its place among the proposals that have not ended.
    ///
    /// # Errors
    /// [`ManagerError::LiveProposal`], [`ManagerError::NotSteady`], [`ManagerError::RollForward`].
    pub fn require_can_open(&self, kind: ProposalKind) -> Result<()> {
        match kind {
            ProposalKind::Upgrade => {
                require!(self.live_proposal.is_none(), ManagerError::LiveProposal);
                require!(self.roll_forward.is_none(), ManagerError::LiveProposal);
                self.require_steady()
            }
            ProposalKind::RollForward => {
                let stuck = matches!(self.phase, Phase::Migrating | Phase::RollingBack);
                require!(stuck && self.roll_forward.is_none(), ManagerError::RollForward);
                // Another than the unfinished one would lose its place, and could never end.
                let alone =
                    self.live_proposal.is_none() || self.live_proposal == self.last_executed;
                require!(alone, ManagerError::LiveProposal);
                Ok(())
            }
        }
    }

    /// `proposal`, a new one of `kind`, takes its place.
    pub fn open(&mut self, proposal: Pubkey, kind: ProposalKind) {
        match kind {
            ProposalKind::Upgrade => self.live_proposal = Some(proposal),
            ProposalKind::RollForward => self.roll_forward = Some(proposal),
        }
    }

    /// The proposal whose place a roll-forward would take: the one that was executed and is neither
    /// complete nor rolled back.
    #[must_use]
    pub fn unfinished(&self) -> Option<Pubkey> {
        self.last_executed.filter(|_| self.phase != Phase::Steady)
    }

    /// The upgrade authority has left the manager.
    pub fn release(&mut self) {
        self.phase = Phase::Released;
        (self.live_proposal, self.last_executed) = (None, None);
    }

    /// The code of `terms` goes in place now; its accounts are still to be migrated.
    pub fn upgrade(&mut self, proposal: Pubkey, terms: &Terms, now: i64, slot: u64) {
        (self.previous_version, self.previous_elf_hash) = (self.version, self.elf_hash);
        (self.version, self.elf_hash) = (terms.to_version, terms.upgrade.sha256);
        self.phase = Phase::Migrating;
        self.end(&proposal);
        self.live_proposal = Some(proposal);
        self.last_executed = Some(proposal);
        (self.executed_at, self.executed_slot) = (now, slot);
        self.counters = Counters { total: terms.manifest.count, ..Counters::default() };
    }

    /// Every account of `proposal` is accounted for.
    pub fn complete(&mut self, proposal: &Pubkey) {
        self.phase = Phase::Steady;
        self.end(proposal);
    }

    /// The code from before `proposal` goes back in place now.
    pub fn roll_back(&mut self, proposal: &Pubkey, slot: u64) {
        (self.version, self.elf_hash) = (self.previous_version, self.previous_elf_hash);
        self.phase = Phase::Steady;
        self.last_executed = None;
        self.executed_slot = slot;
        self.end(proposal);
    }
}

#[cfg(test)]
pub(super) mod tests;
