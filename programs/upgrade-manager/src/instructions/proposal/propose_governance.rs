//! Creates a proposal about the multisig itself, or about handing a program's upgrade authority
//! over.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::io::Payer;
use crate::account_io::multisig::require_direct;
use crate::error::{ManagerError, to_error};
use crate::events::GovernanceProposed;
use crate::external::squads;
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::seeds;
use crate::state::{
    Action, GovernanceProposal, GovernanceTerms, MultisigConfig, ProgramUpgradeState, ProposalKind,
    Transfer, role,
};

/// What the proposer chooses; the rest of the terms is read from the accounts.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct GovernanceArgs {
    /// Genesis hash of the cluster.
    pub genesis_hash: [u8; 32],
    /// Chain time after which nobody can execute.
    pub expires_at: i64,
    /// The reason, for people to read.
    pub note: String,
    /// What the proposal does.
    pub action: Action,
}

/// Accounts of `propose_governance`; behind them the Squads multisig of the multisig, and the one
/// that a config change would put in its place.
#[derive(Accounts)]
pub struct ProposeGovernance<'info> {
    /// Proposes.
    pub proposer: Signer<'info>,
    /// Pays for the proposal.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the state of the program that would be handed over, if any; `prepare` reads it.
    #[account(mut)]
    pub state: Option<UncheckedAccount<'info>>,
    /// CHECK: the new proposal; `io::create` makes it at its address.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// Makes the account.
    pub system_program: Program<'info, System>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> ProposeGovernance<'info> {
    /// Checks what `action` says about other accounts. Returns the program's state, with the
    /// proposal registered in it, when the action is about a program.
    fn prepare(
        &self,
        action: &Action,
        rest: &[AccountInfo],
    ) -> Result<Option<Box<ProgramUpgradeState>>> {
        match (action, &self.state) {
            (Action::TransferAuthority(transfer), Some(info)) => {
                let mut state: Box<ProgramUpgradeState> = io::read(info)?;
                require!(state.multisig == self.multisig.key(), ManagerError::WrongAccount);
                state.require_can_open(ProposalKind::Upgrade)?;
                require_valid_transfer(transfer, &state)?;
                state.open(self.proposal.key(), ProposalKind::Upgrade);
                Ok(Some(state))
            }
            (Action::ConfigChange(rules), None) => {
                rules.squads.as_ref().map_or(Ok(()), |next| squads::require(next, rest))?;
                Ok(None)
            }
            (Action::Dissolve, None) => Ok(None),
            _ => Err(to_error(ManagerError::WrongAccount)),
        }
    }

    /// Checks, then creates the proposal and registers it.
    pub(crate) fn handle(ctx: Context<'info, Self>, args: GovernanceArgs) -> Result<()> {
        let (accounts, rest) = (ctx.accounts, ctx.remaining_accounts);
        let mut config: Box<MultisigConfig> = io::read(&accounts.multisig)?;
        accounts.validate(&config, rest)?;
        let state = accounts.prepare(&args.action, rest)?;
        let proposal = accounts.create(&mut config, args)?;
        io::write(&accounts.multisig, &*config)?;
        if let (Some(info), Some(state)) = (&accounts.state, state) {
            io::write(info, &*state)?;
        }
        let event = GovernanceProposed {
            proposal: accounts.proposal.key(),
            multisig: accounts.multisig.key(),
            id: proposal.terms.id,
            proposer: proposal.proposer,
            digest: proposal.digest,
            kind: proposal.terms.action.kind(),
            program: proposal.terms.action.program(),
        };
        emit(&accounts.event_authority, &event)
    }

    fn validate(&self, config: &MultisigConfig, rest: &[AccountInfo]) -> Result<()> {
        require_direct(config)?;
        config.require_not_dissolved()?;
        config.require_role(self.proposer.key, role::PROPOSE)?;
        squads::require_policy(config, rest)
    }

    /// Creates the proposal and counts it among its proposer's open ones.
    #[inline(never)]
    fn create(
        &self,
        config: &mut MultisigConfig,
        args: GovernanceArgs,
    ) -> Result<Box<GovernanceProposal>> {
        let (proposer, payer) = (self.proposer.key(), self.payer.key());
        let (multisig, config_epoch) = (self.multisig.key(), config.config_epoch);
        let id = config.open_proposal(&proposer)?;
        let terms = GovernanceTerms {
            id,
            genesis_hash: args.genesis_hash,
            multisig,
            config_epoch,
            expires_at: args.expires_at,
            note: args.note,
            action: args.action,
        };
        let now = Clock::get()?.unix_timestamp;
        let new = GovernanceProposal::new(terms, 0, (proposer, payer), config, now)?;
        let mut proposal = Box::new(new);
        let by =
            Payer { payer: &self.payer, system_program: &self.system_program, rent: &Rent::get()? };
        let id = id.to_le_bytes();
        let seeds = [seeds::GOVERNANCE, multisig.as_ref(), &id];
        let space = 8 + GovernanceProposal::INIT_SPACE;
        proposal.bump = io::create(&self.proposal, &seeds, space, &by)?;
        io::write(&self.proposal, &*proposal)?;
        Ok(proposal)
    }
}

/// `transfer` names the program of `state`, and a new authority that is not the manager's.
fn require_valid_transfer(transfer: &Transfer, state: &ProgramUpgradeState) -> Result<()> {
    require!(transfer.program == state.program, ManagerError::WrongAccount);
    require!(transfer.program_data == state.program_data, ManagerError::WrongAccount);
    let new = transfer.new_authority;
    let valid = new != Pubkey::default() && new != state.authority();
    require!(valid, ManagerError::NewAuthority);
    Ok(())
}
