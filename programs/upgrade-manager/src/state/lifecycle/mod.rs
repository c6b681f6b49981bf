//! The steps of an upgrade proposal and of its program: what must hold before each, and what it
//! changes. Pure: clock and keys come in as values.
use anchor_lang::prelude::*;

use super::layout::LAYOUT;
use super::multisig::MultisigConfig;
use super::program::{Counters, Phase, ProgramUpgradeState};
use super::proposal::{ProposalStatus, UpgradeProposal};
use super::terms::{ProposalKind, Terms};
use super::votes::Ballot;
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

    /// The proposal was executed and not rolled back or superseded.
    ///
    /// # Errors
    /// [`ManagerError::NotExecuted`].
    pub fn require_executed(&self) -> Result<()> {
        require!(self.status.is_executed(), ManagerError::NotExecuted);
        Ok(())
    }

    /// Marks the proposal as executed, which opens its rollback window.
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

    /// Marks that the first account is being migrated. A completed proposal stays completed, also
    /// when an account that the manifest left out is migrated later.
    pub fn start_migrating(&mut self) {
        if self.status == ProposalStatus::Executed {
            self.status = ProposalStatus::Migrating;
        }
    }

    /// The guardian alone decides for rollback: inside the window, once, without giving up
    /// accounts, and not for the manager itself.
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

    /// Casts a vote for rollback. Returns whether this vote reaches the threshold.
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
    /// `proposal` is the open proposal of this program.
    ///
    /// # Errors
    /// [`ManagerError::WrongAccount`].
    pub fn require_live(&self, proposal: &Pubkey) -> Result<()> {
        require!(self.live_proposal == Some(*proposal), ManagerError::WrongAccount);
        Ok(())
    }

    /// `proposal`, of `kind`, may be executed now, and `replaced` is the unfinished proposal that
    /// it supersedes.
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

    /// `proposal` may hand the upgrade authority over now.
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

    /// No migration or rollback is under way.
    ///
    /// # Errors
    /// [`ManagerError::NotSteady`].
    pub fn require_steady(&self) -> Result<()> {
        require!(self.phase == Phase::Steady, ManagerError::NotSteady);
        Ok(())
    }

    /// `terms` start from the version and the code that run now.
    ///
    /// # Errors
    /// [`ManagerError::RollbackNotLive`] or [`ManagerError::Superseded`].
    pub fn require_runs(&self, terms: &Terms) -> Result<()> {
        require!(self.version == terms.from_version, ManagerError::Superseded);
        require!(self.elf_hash == terms.rollback.sha256, ManagerError::RollbackNotLive);
        Ok(())
    }

    /// `proposal` was executed last and not rolled back.
    ///
    /// # Errors
    /// [`ManagerError::Superseded`].
    pub fn require_last(&self, proposal: &Pubkey) -> Result<()> {
        require!(self.last_executed == Some(*proposal), ManagerError::Superseded);
        Ok(())
    }

    /// Accounts may be migrated to the layout of `proposal`.
    ///
    /// # Errors
    /// [`ManagerError::Superseded`] or [`ManagerError::RollingBack`].
    pub fn require_migrating(&self, proposal: &Pubkey) -> Result<()> {
        self.require_last(proposal)?;
        require!(self.phase != Phase::RollingBack, ManagerError::RollingBack);
        Ok(())
    }

    /// Accounts may be restored from the layout of `proposal`.
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

    /// Frees the slot of `proposal`, which has ended.
    pub fn end(&mut self, proposal: &Pubkey) {
        if self.live_proposal == Some(*proposal) {
            self.live_proposal = None;
        }
        if self.roll_forward == Some(*proposal) {
            self.roll_forward = None;
        }
    }

    /// A new proposal of `kind` may be opened.
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
                let unfinished = matches!(self.phase, Phase::Migrating | Phase::RollingBack);
                require!(unfinished && self.roll_forward.is_none(), ManagerError::RollForward);
                // Executing a roll-forward clears `live_proposal`. If that were another proposal
                // than the unfinished one, it would lose its slot and could never end.
                let no_other_open =
                    self.live_proposal.is_none() || self.live_proposal == self.last_executed;
                require!(no_other_open, ManagerError::LiveProposal);
                Ok(())
            }
        }
    }

    /// Registers `proposal`, a new one of `kind`.
    pub fn open(&mut self, proposal: Pubkey, kind: ProposalKind) {
        match kind {
            ProposalKind::Upgrade => self.live_proposal = Some(proposal),
            ProposalKind::RollForward => self.roll_forward = Some(proposal),
        }
    }

    /// The proposal that a roll-forward would supersede: it was executed, and is neither complete
    /// nor rolled back.
    #[must_use]
    pub fn unfinished(&self) -> Option<Pubkey> {
        self.last_executed.filter(|_| self.phase != Phase::Steady)
    }

    /// Marks that the upgrade authority was handed over.
    pub fn release(&mut self) {
        self.phase = Phase::Released;
        (self.live_proposal, self.last_executed) = (None, None);
    }

    /// Records that the code of `terms` runs from now on. Its accounts are still to be migrated.
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

    /// Records that the migration of `proposal` is complete.
    pub fn complete(&mut self, proposal: &Pubkey) {
        self.phase = Phase::Steady;
        self.end(proposal);
    }

    /// Records that the code from before `proposal` runs again.
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
