//! `approve`, `reject` and `revoke`: three instructions on the same accounts, for either kind of
//! proposal. A vote carries the digest that its voter saw. It may cost at most 10,000 compute units
//! (`cargo xtask bench program` measures it).
use anchor_lang::prelude::*;

use crate::account_io::multisig::{Proposal, VotingAccounts, require_direct};
use crate::events::{VoteCast, VoteRevoked};
use crate::external::squads;
use crate::runtime::emit::emit;
use crate::runtime::nonce;
use crate::state::{Choice, MultisigConfig, ProposalStatus, Votable, role};

/// Accounts of `approve`, `reject` and `revoke`; behind them the Squads multisig, for a multisig
/// that has one.
#[derive(Accounts)]
pub struct CastVote<'info> {
    /// Votes.
    pub voter: Signer<'info>,
    /// CHECK: the multisig; `VotingAccounts` reads it, and the proposal names it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the state of the proposal's program, if it has one; `VotingAccounts` checks it.
    #[account(mut)]
    pub state: Option<UncheckedAccount<'info>>,
    /// CHECK: the proposal; `VotingAccounts` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: the instructions sysvar; `nonce` checks that.
    pub instructions_sysvar: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

/// What happens to the member's vote.
#[derive(Clone, Copy)]
enum VoteChange<'a> {
    Cast(Choice, &'a [u8; 32]),
    Revoke,
}

impl<'info> CastVote<'info> {
    /// Casts a vote on the proposal whose digest is `digest`.
    pub(crate) fn cast(ctx: Context<'info, Self>, choice: Choice, digest: &[u8; 32]) -> Result<()> {
        Self::handle(&ctx, VoteChange::Cast(choice, digest))
    }

    /// Removes the voter's vote.
    pub(crate) fn revoke(ctx: Context<'info, Self>) -> Result<()> {
        Self::handle(&ctx, VoteChange::Revoke)
    }

    #[inline(never)]
    fn handle(ctx: &Context<'info, Self>, change: VoteChange) -> Result<()> {
        let (accounts, clock) = (&*ctx.accounts, Clock::get()?);
        let state = accounts.state.as_deref();
        let voted =
            VotingAccounts { multisig: &accounts.multisig, state, proposal: &accounts.proposal };
        let (mut config, mut proposal) = voted.read()?;
        accounts.validate(&config, &proposal, clock.unix_timestamp)?;
        squads::require_policy(&config, ctx.remaining_accounts)?;
        let (voter, now) = (accounts.voter.key(), (clock.unix_timestamp, clock.slot));
        match change {
            VoteChange::Cast(choice, digest) => {
                proposal.require_digest(digest)?;
                proposal.cast(voter, choice, &config, now)?;
            }
            VoteChange::Revoke => proposal.revoke(&voter, &config, now)?,
        }
        voted.write(&mut config, &proposal)?;
        accounts.emit_event(change, &proposal)
    }

    fn validate(&self, config: &MultisigConfig, proposal: &Proposal, now: i64) -> Result<()> {
        require_direct(config)?;
        config.require_role(self.voter.key, role::VOTE)?;
        proposal.require_voting(now)?;
        proposal.require_fresh(config)?;
        nonce::require_allowed(config.allow_durable_nonce, &self.instructions_sysvar)
    }

    fn emit_event(&self, change: VoteChange, on: &Proposal) -> Result<()> {
        let (proposal, member) = (self.proposal.key(), self.voter.key());
        let (program, approvals) = (on.program().unwrap_or_default(), on.ballot().approvals());
        let status: ProposalStatus = on.voting_state().status;
        match change {
            VoteChange::Cast(choice, _) => {
                let eta = on.voting_state().eta;
                let event = VoteCast { proposal, program, member, choice, approvals, status, eta };
                emit(&self.event_authority, &event)
            }
            VoteChange::Revoke => {
                let event = VoteRevoked { proposal, program, member, approvals, status };
                emit(&self.event_authority, &event)
            }
        }
    }
}
