//! Proposals about the multisig itself and about handing a program over: what a vote agrees to, and
//! the digest over it. The actions are a closed list; a proposal stores no instructions.
use anchor_lang::prelude::*;
use solana_sha256_hasher::hashv;

use super::multisig::MultisigConfig;
use super::proposal::ProposalStatus;
use super::rules::MultisigRules;
use super::terms::MAX_PROPOSAL_SECONDS;
use super::votes::Ballot;
use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;

/// Domain of the digest; changes with the layout of [`GovernanceTerms`].
const DIGEST: &[u8] = b"upgrade-manager/governance/v1";
/// Longest note in bytes.
pub const MAX_NOTE_LEN: usize = 128;

/// A program whose upgrade authority is handed over.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The program.
    pub program: Pubkey,
    /// Its ProgramData account.
    pub program_data: Pubkey,
    /// The new upgrade authority; must sign the execution.
    pub new_authority: Pubkey,
}

/// What a proposal does to the multisig.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Replace all the multisig's rules.
    ConfigChange(MultisigRules),
    /// Hand a program's upgrade authority over.
    TransferAuthority(Transfer),
    /// End the multisig, which must hold no program.
    Dissolve,
}

impl Action {
    /// The action without what it holds.
    #[must_use]
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::ConfigChange(_) => ActionKind::ConfigChange,
            Self::TransferAuthority(_) => ActionKind::TransferAuthority,
            Self::Dissolve => ActionKind::Dissolve,
        }
    }

    /// The action's name, the same everywhere.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// The program that the action is about.
    #[must_use]
    pub fn program(&self) -> Option<Pubkey> {
        match self {
            Self::TransferAuthority(transfer) => Some(transfer.program),
            Self::ConfigChange(_) | Self::Dissolve => None,
        }
    }
}

/// An [`Action`] without what it holds, as events carry it.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// New rules for the multisig.
    ConfigChange,
    /// A program's upgrade authority leaves the manager.
    TransferAuthority,
    /// The multisig ends.
    Dissolve,
}

impl ActionKind {
    /// The action's name, the same everywhere.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ConfigChange => "ConfigChange",
            Self::TransferAuthority => "TransferAuthority",
            Self::Dissolve => "Dissolve",
        }
    }
}

/// Everything the digest covers.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct GovernanceTerms {
    /// Id, unique within the multisig, from the same row as its upgrade proposals.
    pub id: u64,
    /// Genesis hash of the cluster: clients refuse a vote on another one.
    pub genesis_hash: [u8; 32],
    /// The multisig.
    pub multisig: Pubkey,
    /// Its epoch at proposal.
    pub config_epoch: u64,
    /// Chain time after which nobody can execute, whatever the window says.
    pub expires_at: i64,
    /// The reason, for people to read.
    #[max_len(MAX_NOTE_LEN)]
    pub note: String,
    /// What the proposal does.
    pub action: Action,
}

impl GovernanceTerms {
    /// What must hold at time `now` for a proposal to `config`.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn invariant(&self, config: &MultisigConfig, now: i64) -> Result<()> {
        require!(self.note.len() <= MAX_NOTE_LEN, ManagerError::NoteTooLong);
        let life = self.expires_at.checked_sub(now).or_err(ManagerError::Overflow)?;
        let fits = life > i64::from(config.timelock) && life <= MAX_PROPOSAL_SECONDS;
        require!(fits, ManagerError::ExpiryOutOfRange);
        if let Action::ConfigChange(rules) = &self.action {
            config.clone().change(rules.clone())?;
        }
        Ok(())
    }

    /// The digest that votes carry: sha256 over domain, manager id and the serialised terms.
    ///
    /// # Errors
    /// Only when serialisation fails, which only a lack of memory can cause.
    pub fn digest(&self) -> Result<[u8; 32]> {
        let mut bytes = Vec::with_capacity(1024);
        self.serialize(&mut bytes)?;
        Ok(hashv(&[DIGEST, crate::ID.as_ref(), &bytes]).to_bytes())
    }
}

/// One proposal about a multisig.
#[account]
#[derive(InitSpace, Debug, PartialEq, Eq)]
pub struct GovernanceProposal {
    /// [`super::LAYOUT`] at creation.
    pub layout: u8,
    /// Bump of this address.
    pub bump: u8,
    /// Where it stands; `Executed` is its last status when it succeeds.
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
    pub terms: GovernanceTerms,
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
    /// Zero; reserved for later layouts.
    pub reserved: [u8; 32],
}

impl GovernanceProposal {
    /// A new proposal of `terms`.
    ///
    /// # Errors
    /// The first rule that `terms` break.
    pub fn new(
        terms: GovernanceTerms,
        bump: u8,
        (proposer, payer): (Pubkey, Pubkey),
        config: &MultisigConfig,
        now: i64,
    ) -> Result<Self> {
        terms.invariant(config, now)?;
        Ok(Self {
            layout: super::LAYOUT,
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
            reserved: [0; 32],
        })
    }

    /// Marks the proposal as executed.
    pub fn execute(&mut self, now: i64, slot: u64) {
        (self.executed_at, self.executed_slot) = (now, slot);
        self.status = ProposalStatus::Executed;
    }

    /// The proposal has ended, so its account may be closed.
    ///
    /// # Errors
    /// [`ManagerError::NotEnded`].
    pub fn require_closable(&self) -> Result<()> {
        let over = self.status.is_final() || self.status == ProposalStatus::Executed;
        require!(over, ManagerError::NotEnded);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
