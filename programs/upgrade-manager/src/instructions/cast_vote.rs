//! Approve, reject, and take a vote back: three verbs on the same accounts. A vote names the digest
//! that its voter saw.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::{VoteCast, VoteRevoked};
use crate::nonce;
use crate::seeds;
use crate::state::{
    Choice, MultisigConfig, ProgramUpgradeState, ProposalStatus, UpgradeProposal, role,
};

/// Accounts of `approve`, `reject` and `revoke`.
#[event_cpi]
#[derive(Accounts)]
pub struct CastVote<'info> {
    /// Votes.
    pub voter: Signer<'info>,
    /// The team.
    #[account(
        mut,
        seeds = [seeds::MULTISIG, multisig.create_key.as_ref()],
        bump = multisig.bump,
    )]
    pub multisig: Box<Account<'info, MultisigConfig>>,
    /// The program.
    #[account(
        mut,
        seeds = [seeds::PROGRAM, state.program.as_ref()],
        bump = state.bump,
        has_one = multisig @ ManagerError::WrongAccount,
    )]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// The proposal.
    #[account(
        mut,
        seeds = [
            seeds::PROPOSAL,
            state.program.as_ref(),
            &proposal.terms.id.to_le_bytes(),
        ],
        bump = proposal.bump,
    )]
    pub proposal: Box<Account<'info, UpgradeProposal>>,
    /// CHECK: the instructions sysvar.
    #[account(address = nonce::INSTRUCTIONS)]
    pub instructions_sysvar: UncheckedAccount<'info>,
}

impl<'info> CastVote<'info> {
    fn validate(&self, now: i64) -> Result<()> {
        self.multisig.require_role(&self.voter.key(), role::VOTE)?;
        self.proposal.require_voting(now)?;
        self.state.require_live(&self.proposal.key())?;
        self.proposal.require_fresh(&self.multisig)?;
        nonce::require_allowed(&self.multisig, &self.instructions_sysvar)
    }

    /// Casts a vote for what `digest` stands for.
    pub(crate) fn cast(ctx: Context<'info, Self>, choice: Choice, digest: &[u8; 32]) -> Result<()> {
        let (accounts, clock) = (ctx.accounts, Clock::get()?);
        let (voter, now) = (accounts.voter.key(), (clock.unix_timestamp, clock.slot));
        accounts.validate(clock.unix_timestamp)?;
        accounts.proposal.require_digest(digest)?;
        accounts.proposal.cast(voter, choice, &accounts.multisig, now)?;
        accounts.end_if_rejected();
        let proposal = &accounts.proposal;
        let event = VoteCast {
            proposal: proposal.key(),
            program: proposal.terms.program,
            member: voter,
            choice,
            approvals: proposal.ballot.approvals(),
            status: proposal.status,
            eta: proposal.eta,
        };
        emit(&accounts.event_authority, &event)
    }

    /// Takes the voter's vote back.
    pub(crate) fn revoke(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, clock) = (ctx.accounts, Clock::get()?);
        let (voter, now) = (accounts.voter.key(), (clock.unix_timestamp, clock.slot));
        accounts.validate(clock.unix_timestamp)?;
        accounts.proposal.revoke(&voter, &accounts.multisig, now)?;
        let proposal = &accounts.proposal;
        let event = VoteRevoked {
            proposal: proposal.key(),
            program: proposal.terms.program,
            member: voter,
            approvals: proposal.ballot.approvals(),
            status: proposal.status,
        };
        emit(&accounts.event_authority, &event)
    }

    fn end_if_rejected(&mut self) {
        if self.proposal.status == ProposalStatus::Rejected {
            self.state.end(&self.proposal.key());
            self.multisig.end_proposal(&self.proposal.proposer);
        }
    }
}
