//! Votes for rollback. There is no timelock, because only code that ran before can come back. The
//! guardian can decide alone, but only inside the rollback window and without giving up any
//! account.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::multisig::{read_multisig_and_state, read_upgrade_proposal, require_direct};
use crate::events::RollbackVoted;
use crate::external::squads;
use crate::runtime::emit::emit;
use crate::runtime::nonce;
use crate::state::{MultisigConfig, Phase, ProgramUpgradeState, UpgradeProposal, Votable, role};

/// Accounts of `approve_rollback`; behind them the Squads multisig, when its vault votes.
#[derive(Accounts)]
pub struct ApproveRollback<'info> {
    /// Votes.
    pub voter: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the program's state; `handle` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the executed proposal; `handle` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: the instructions sysvar; `nonce` checks that.
    pub instructions_sysvar: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> ApproveRollback<'info> {
    /// What must hold for members and for the guardian. The multisig may have changed since the
    /// proposal was made:
    /// votes count under the rules of now.
    fn validate(
        &self,
        config: &MultisigConfig,
        state: &ProgramUpgradeState,
        proposal: &UpgradeProposal,
        now: i64,
    ) -> Result<()> {
        require_direct(config)?;
        proposal.require_rollback_vote(now)?;
        state.require_last(self.proposal.key)?;
        nonce::require_allowed(config.allow_durable_nonce, &self.instructions_sysvar)
    }

    /// Counts the vote. The deciding vote ends the migration.
    pub(crate) fn handle(
        ctx: Context<'info, Self>,
        digest: &[u8; 32],
        give_up: bool,
    ) -> Result<()> {
        let (accounts, now) = (ctx.accounts, Clock::get()?.unix_timestamp);
        let (config, mut state) = read_multisig_and_state(&accounts.multisig, &accounts.state)?;
        let mut proposal = read_upgrade_proposal(&state, &accounts.proposal)?;
        let member = accounts.voter.key();
        let is_guardian = config.guardian == Some(member);
        if !is_guardian {
            config.require_role(&member, role::VOTE)?;
            squads::require_policy(&config, ctx.remaining_accounts)?;
        }
        accounts.validate(&config, &state, &proposal, now)?;
        proposal.require_digest(digest)?;
        let decides = if is_guardian {
            proposal.guardian_rollback(give_up, now)?;
            true
        } else {
            proposal.cast_rollback(member, give_up, &config, now)?
        };
        io::write(&accounts.proposal, &*proposal)?;
        if decides {
            state.phase = Phase::RollingBack;
            io::write(&accounts.state, &*state)?;
        }
        let event = RollbackVoted {
            proposal: accounts.proposal.key(),
            program: state.program,
            member,
            give_up,
            votes: proposal.ballot.rollback_votes(),
            approved: proposal.rollback_approved_at != 0,
        };
        emit(&accounts.event_authority, &event)
    }
}
