//! Votes for going back. There is no timelock: only code that ran before can come back.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::RollbackVoted;
use crate::nonce;
use crate::seeds;
use crate::state::{Course, MultisigConfig, Phase, ProgramUpgradeState, UpgradeProposal, role};

/// Accounts of `approve_rollback`.
#[event_cpi]
#[derive(Accounts)]
pub struct ApproveRollback<'info> {
    /// Votes.
    pub voter: Signer<'info>,
    /// The team.
    #[account(seeds = [seeds::MULTISIG, multisig.create_key.as_ref()], bump = multisig.bump)]
    pub multisig: Box<Account<'info, MultisigConfig>>,
    /// The program's state.
    #[account(
        mut,
        dup,
        seeds = [seeds::PROGRAM, state.program.as_ref()],
        bump = state.bump,
        has_one = multisig @ ManagerError::WrongAccount,
    )]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// The executed proposal.
    #[account(
        mut,
        dup,
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

impl<'info> ApproveRollback<'info> {
    fn validate(&self, digest: &[u8; 32], now: i64) -> Result<()> {
        self.multisig.require_role(&self.voter.key(), role::VOTE)?;
        self.proposal.require_rollback_vote(now)?;
        self.proposal.require_fresh(&self.multisig)?;
        self.proposal.require_digest(digest)?;
        self.state.require_last(&self.proposal.key())?;
        nonce::require_allowed(&self.multisig, &self.instructions_sysvar)
    }

    /// Counts the vote; the one that reaches the threshold ends migration.
    pub(crate) fn handle(
        ctx: Context<'info, Self>,
        digest: &[u8; 32],
        give_up: bool,
    ) -> Result<()> {
        let (accounts, now) = (ctx.accounts, Clock::get()?.unix_timestamp);
        accounts.validate(digest, now)?;
        let (member, config) = (accounts.voter.key(), &accounts.multisig);
        if accounts.proposal.cast_rollback(member, give_up, config, now)? {
            accounts.state.phase = Phase::RollingBack;
        }
        let event = RollbackVoted {
            proposal: accounts.proposal.key(),
            program: accounts.state.program,
            member,
            give_up,
            votes: accounts.proposal.ballot.rollback_votes(),
            approved: accounts.proposal.rollback_approved_at != 0,
        };
        emit(&accounts.event_authority, &event)
    }
}
