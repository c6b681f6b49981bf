//! Reads a multisig, its programs and its proposals, and checks by the keys they hold that they
//! belong to each other. Also checks that no program stands between a member and the manager. What
//! may happen to an account is a rule of its type in `state`.
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

/// Reads the multisig in `multisig` and, from `state`, a program that it governs.
#[inline(never)]
pub(crate) fn read_multisig_and_state(
    multisig: &AccountInfo,
    state: &AccountInfo,
) -> Result<MultisigAndState> {
    let state: Box<ProgramUpgradeState> = io::read(state)?;
    require!(state.multisig == *multisig.key, ManagerError::WrongAccount);
    Ok((io::read(multisig)?, state))
}

/// Reads the upgrade proposal in `info`, which must be for the program of `state`, by its multisig.
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

/// Reads the governance proposal in `info`, which must be one of `multisig`.
#[inline(never)]
pub(crate) fn read_governance_proposal(
    multisig: &Pubkey,
    info: &AccountInfo,
) -> Result<Box<GovernanceProposal>> {
    let proposal: Box<GovernanceProposal> = io::read(info)?;
    require!(proposal.terms.multisig == *multisig, ManagerError::WrongAccount);
    Ok(proposal)
}

/// No program calls this instruction on behalf of a member: it could hide from the member what they
/// sign. A multisig with a Squads vault is exempt, because a vault can sign only through the Squads
/// program.
pub(crate) fn require_direct(config: &MultisigConfig) -> Result<()> {
    let direct = get_stack_height() <= TRANSACTION_LEVEL_STACK_HEIGHT;
    require!(direct || config.squads.is_some(), ManagerError::CalledByProgram);
    Ok(())
}

/// A proposal of either kind. An enum, because with a type parameter the voting code would be in
/// the ELF twice.
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
    /// Reads the proposal in `info`.
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

    fn set_voting_state(&mut self, voting: VotingState) {
        either!(self, it => it.set_voting_state(voting));
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
    /// The state of the program that the proposal is about; `None` when it is about the multisig.
    pub state: Option<&'a AccountInfo<'info>>,
    /// The proposal.
    pub proposal: &'a AccountInfo<'info>,
}

impl VotingAccounts<'_, '_> {
    /// Reads the multisig and its proposal. Checks only that `state` is the right account and does
    /// not read it, because most votes do not change it.
    #[inline(never)]
    pub(crate) fn read(&self) -> Result<(Box<MultisigConfig>, Proposal)> {
        let proposal = Proposal::read(self.proposal)?;
        require!(proposal.multisig() == *self.multisig.key, ManagerError::WrongAccount);
        let state_matches = match (self.state, proposal.program()) {
            (None, None) => true,
            (Some(info), Some(program)) => is_state_of(info, &program)?,
            _ => false,
        };
        require!(state_matches, ManagerError::WrongAccount);
        Ok((io::read(self.multisig)?, proposal))
    }

    /// Writes the proposal. When it has ended, also frees its slot in the program's state and in
    /// the proposer's count of open proposals.
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

/// Whether `info` is the state of `program`. Reads only discriminator and key.
fn is_state_of(info: &AccountInfo, program: &Pubkey) -> Result<bool> {
    let data = info.try_borrow_data()?;
    Ok(*info.owner == crate::ID && ProgramUpgradeState::read_program(&data) == Some(*program))
}
