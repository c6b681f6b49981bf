//! A multisig, its programs and its proposals, read and tied to each other by the keys they hold. Knows
//! which accounts belong together and who may call; what may happen to them the state types say.
use anchor_lang::Discriminator;
use anchor_lang::prelude::*;
use anchor_lang::solana_program::instruction::{TRANSACTION_LEVEL_STACK_HEIGHT, get_stack_height};

use crate::account_io::io;
use crate::error::ManagerError;
use crate::runtime::require::require;
use crate::state::{
    Ballot, GovernanceProposal, MultisigConfig, ProgramUpgradeState, UpgradeProposal, Votable,
    VotingState,
};

/// A multisig and one of its programs.
pub(crate) type MultisigAndState = (Box<MultisigConfig>, Box<ProgramUpgradeState>);

/// The multisig in `multisig` and the program in `state`, about which it decides.
#[inline(never)]
pub(crate) fn read_multisig_and_state(
    multisig: &AccountInfo,
    state: &AccountInfo,
) -> Result<MultisigAndState> {
    let state: Box<ProgramUpgradeState> = io::read(state)?;
    require!(state.multisig == *multisig.key, ManagerError::WrongAccount);
    Ok((io::read(multisig)?, state))
}

/// The upgrade proposal in `info`, which must be about the program of `state`, by its multisig.
#[inline(never)]
pub(crate) fn read_upgrade_proposal(
    state: &ProgramUpgradeState,
    info: &AccountInfo,
) -> Result<Box<UpgradeProposal>> {
    let proposal: Box<UpgradeProposal> = io::read(info)?;
    require!(proposal.terms.program == state.program, ManagerError::WrongAccount);
    require!(proposal.terms.multisig == state.multisig, ManagerError::WrongAccount);
    Ok(proposal)
}

/// The proposal about a multisig in `info`, which must be one of `multisig`.
#[inline(never)]
pub(crate) fn read_governance_proposal(
    multisig: &Pubkey,
    info: &AccountInfo,
) -> Result<Box<GovernanceProposal>> {
    let proposal: Box<GovernanceProposal> = io::read(info)?;
    require!(proposal.terms.multisig == *multisig, ManagerError::WrongAccount);
    Ok(proposal)
}

/// Members sign what they send: no program stands in between, but for the one of a Squads vault,
/// which cannot sign otherwise.
pub(crate) fn require_direct(config: &MultisigConfig) -> Result<()> {
    let direct = get_stack_height() <= TRANSACTION_LEVEL_STACK_HEIGHT;
    require!(direct || config.squads.is_some(), ManagerError::CalledByProgram);
    Ok(())
}

/// A proposal of either kind. Not a type parameter: what votes do would be in the ELF twice.
pub(crate) enum Proposal {
    /// To upgrade a program.
    Upgrade(Box<UpgradeProposal>),
    /// About a multisig.
    Governance(Box<GovernanceProposal>),
}

macro_rules! either {
    ($proposal:expr, $it:ident => $does:expr) => {
        match $proposal {
            Proposal::Upgrade($it) => $does,
            Proposal::Governance($it) => $does,
        }
    };
}

impl Proposal {
    /// The proposal in `info`.
    fn read(info: &AccountInfo) -> Result<Self> {
        let governance = info.try_borrow_data()?.starts_with(GovernanceProposal::DISCRIMINATOR);
        Ok(if governance {
            Self::Governance(io::read(info)?)
        } else {
            Self::Upgrade(io::read(info)?)
        })
    }
}

impl Votable for Proposal {
    fn voting_state(&self) -> VotingState {
        either!(self, it => it.voting_state())
    }

    fn set_voting_state(&mut self, stage: VotingState) {
        either!(self, it => it.set_voting_state(stage));
    }

    fn ballot(&self) -> &Ballot {
        either!(self, it => it.ballot())
    }

    fn ballot_mut(&mut self) -> &mut Ballot {
        either!(self, it => it.ballot_mut())
    }

    fn proposer(&self) -> Pubkey {
        either!(self, it => it.proposer())
    }

    fn multisig(&self) -> Pubkey {
        either!(self, it => it.multisig())
    }

    fn program(&self) -> Option<Pubkey> {
        either!(self, it => it.program())
    }

    fn config_epoch(&self) -> u64 {
        either!(self, it => it.config_epoch())
    }

    fn expires_at(&self) -> i64 {
        either!(self, it => it.expires_at())
    }

    fn voted_digest(&self) -> &[u8; 32] {
        either!(self, it => it.voted_digest())
    }

    fn may_be_vetoed(&self, config: &MultisigConfig) -> bool {
        either!(self, it => it.may_be_vetoed(config))
    }
}

/// The accounts of a proposal of either kind that members still vote on.
pub(crate) struct VotingAccounts<'a, 'info> {
    /// The multisig.
    pub multisig: &'a AccountInfo<'info>,
    /// The state of the program that the proposal is about, if it is about one.
    pub state: Option<&'a AccountInfo<'info>>,
    /// The proposal.
    pub proposal: &'a AccountInfo<'info>,
}

impl VotingAccounts<'_, '_> {
    /// The multisig and its proposal. Of the state only its identity is looked at: most votes do not
    /// touch it.
    #[inline(never)]
    pub(crate) fn read(&self) -> Result<(Box<MultisigConfig>, Proposal)> {
        let proposal = Proposal::read(self.proposal)?;
        require!(proposal.multisig() == *self.multisig.key, ManagerError::WrongAccount);
        let right = match (self.state, proposal.program()) {
            (None, None) => true,
            (Some(info), Some(program)) => is_state_of(info, &program)?,
            _ => false,
        };
        require!(right, ManagerError::WrongAccount);
        Ok((io::read(self.multisig)?, proposal))
    }

    /// Writes the proposal; when it has ended, it no longer counts for its proposer, and its
    /// program is free for another.
    #[inline(never)]
    pub(crate) fn write(&self, config: &mut MultisigConfig, proposal: &Proposal) -> Result<()> {
        either!(proposal, it => io::write(self.proposal, &**it))?;
        if proposal.voting_state().status.is_voting() {
            return Ok(());
        }
        if let Some(info) = self.state {
            let mut state: Box<ProgramUpgradeState> = io::read(info)?;
            state.end(self.proposal.key);
            io::write(info, &*state)?;
        }
        config.end_proposal(&proposal.proposer());
        io::write(self.multisig, config)
    }
}

/// Whether `info` is the state of `program`, told by the bytes alone.
fn is_state_of(info: &AccountInfo, program: &Pubkey) -> Result<bool> {
    let data = info.try_borrow_data()?;
    Ok(*info.owner == crate::ID && ProgramUpgradeState::program_in(&data) == Some(*program))
}
