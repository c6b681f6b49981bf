//! Applies new rules to a multisig, or dissolves it, under the votes and the timelock of the old
//! rules. A pause does not stop this: members need it to remove a guardian.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::multisig::{read_governance_proposal, require_direct};
use crate::error::{ManagerError, to_error};
use crate::events::{ConfigChanged, MultisigDissolved};
use crate::external::squads;
use crate::runtime::emit::emit;
use crate::state::{Action, GovernanceProposal, MultisigConfig, Votable, role};

/// Accounts of `execute_config_change`; behind them the Squads multisig of the multisig, and the
/// one that takes its place.
#[derive(Accounts)]
pub struct ExecuteConfigChange<'info> {
    /// Executes.
    pub executor: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the proposal; `handle` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> ExecuteConfigChange<'info> {
    fn validate(
        &self,
        config: &MultisigConfig,
        proposal: &GovernanceProposal,
        clock: &Clock,
    ) -> Result<()> {
        require_direct(config)?;
        config.require_role(self.executor.key, role::EXECUTE)?;
        proposal.require_executable(config, clock.unix_timestamp, clock.slot)?;
        proposal.require_fresh(config)
    }

    /// Replaces the rules, or ends the multisig.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, rest, clock) = (ctx.accounts, ctx.remaining_accounts, Clock::get()?);
        let mut config: Box<MultisigConfig> = io::read(&accounts.multisig)?;
        let mut proposal = read_governance_proposal(accounts.multisig.key, &accounts.proposal)?;
        accounts.validate(&config, &proposal, &clock)?;
        squads::require_policy(&config, rest)?;
        config.end_proposal(&proposal.proposer);
        match &proposal.terms.action {
            Action::ConfigChange(rules) => {
                rules.squads.as_ref().map_or(Ok(()), |next| squads::require(next, rest))?;
                config.change(rules.clone())?;
            }
            Action::Dissolve => config.dissolve()?,
            Action::TransferAuthority(_) => return Err(to_error(ManagerError::NotThisKind)),
        }
        proposal.execute(clock.unix_timestamp, clock.slot);
        io::write(&accounts.proposal, &*proposal)?;
        io::write(&accounts.multisig, &*config)?;
        accounts.emit_event(&config)
    }

    fn emit_event(&self, config: &MultisigConfig) -> Result<()> {
        let (proposal, multisig) = (self.proposal.key(), self.multisig.key());
        let executor = self.executor.key();
        if config.dissolved {
            return emit(
                &self.event_authority,
                &MultisigDissolved { proposal, multisig, executor },
            );
        }
        let event = ConfigChanged {
            proposal,
            multisig,
            executor,
            config_epoch: config.config_epoch,
            threshold: config.threshold,
            timelock: config.timelock,
            members: config.members.iter().map(|m| m.key).collect(),
        };
        emit(&self.event_authority, &event)
    }
}
