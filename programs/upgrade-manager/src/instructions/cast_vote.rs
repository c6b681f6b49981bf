//! Approve, reject, and take a vote back: three verbs on the same accounts. A vote names the digest
//! that its voter saw.
//!
//! A vote may take 10,000 compute units. Deriving three addresses again, and writing back two
//! accounts that only a rejection changes, would take half of that. So the accounts are read by
//! hand here, and tied to each other by the keys they hold: the manager owns them and makes each
//! kind at one address only.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::{VoteCast, VoteRevoked};
use crate::nonce;
use crate::state::{
    Choice, Course, MultisigConfig, ProgramUpgradeState, ProposalStatus, UpgradeProposal, role,
};
use crate::stored;

/// Accounts of `approve`, `reject` and `revoke`.
#[event_cpi]
#[derive(Accounts)]
pub struct CastVote<'info> {
    /// Votes.
    pub voter: Signer<'info>,
    /// CHECK: the team; `load` reads it, and the program's state names it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the program's state; `load` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the proposal; `load` reads it, and the program's state names it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: the instructions sysvar.
    #[account(address = nonce::INSTRUCTIONS)]
    pub instructions_sysvar: UncheckedAccount<'info>,
}

/// What the three accounts hold.
struct Loaded {
    multisig: Box<MultisigConfig>,
    state: Box<ProgramUpgradeState>,
    proposal: Box<UpgradeProposal>,
}

impl<'info> CastVote<'info> {
    fn load(&self) -> Result<Loaded> {
        let state: Box<ProgramUpgradeState> = stored::read(&self.state)?;
        control!(state.multisig == self.multisig.key(), ManagerError::WrongAccount);
        let multisig = stored::read(&self.multisig)?;
        let proposal = stored::read(&self.proposal)?;
        Ok(Loaded { multisig, state, proposal })
    }

    fn validate(&self, on: &Loaded, now: i64) -> Result<()> {
        on.multisig.require_role(self.voter.key, role::VOTE)?;
        on.proposal.require_voting(now)?;
        on.state.require_live(self.proposal.key)?;
        on.proposal.require_fresh(&on.multisig)?;
        nonce::require_allowed(&on.multisig, &self.instructions_sysvar)
    }

    /// Casts a vote for what `digest` stands for.
    pub(crate) fn cast(ctx: Context<'info, Self>, choice: Choice, digest: &[u8; 32]) -> Result<()> {
        let (accounts, clock) = (ctx.accounts, Clock::get()?);
        let mut on = accounts.load()?;
        accounts.validate(&on, clock.unix_timestamp)?;
        on.proposal.require_digest(digest)?;
        let (voter, now) = (accounts.voter.key(), (clock.unix_timestamp, clock.slot));
        on.proposal.cast(voter, choice, &on.multisig, now)?;
        accounts.store(&mut on)?;
        let event = VoteCast {
            proposal: accounts.proposal.key(),
            program: on.state.program,
            member: voter,
            choice,
            approvals: on.proposal.ballot.approvals(),
            status: on.proposal.status,
            eta: on.proposal.eta,
        };
        emit(&accounts.event_authority, &event)
    }

    /// Takes the voter's vote back.
    pub(crate) fn revoke(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, clock) = (ctx.accounts, Clock::get()?);
        let mut on = accounts.load()?;
        accounts.validate(&on, clock.unix_timestamp)?;
        let (voter, now) = (accounts.voter.key(), (clock.unix_timestamp, clock.slot));
        on.proposal.revoke(&voter, &on.multisig, now)?;
        accounts.store(&mut on)?;
        let event = VoteRevoked {
            proposal: accounts.proposal.key(),
            program: on.state.program,
            member: voter,
            approvals: on.proposal.ballot.approvals(),
            status: on.proposal.status,
        };
        emit(&accounts.event_authority, &event)
    }

    /// Writes the proposal, and the rest when the vote has ended it.
    fn store(&self, on: &mut Loaded) -> Result<()> {
        stored::write(&self.proposal, &*on.proposal)?;
        if on.proposal.status != ProposalStatus::Rejected {
            return Ok(());
        }
        on.state.end(self.proposal.key);
        on.multisig.end_proposal(&on.proposal.proposer);
        stored::write(&self.state, &*on.state)?;
        stored::write(&self.multisig, &*on.multisig)
    }
}
