//! Makes a team. The key that seeds its address signs, so that nobody can take the address first.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::events::MultisigCreated;
use crate::seeds;
use crate::state::{LAYOUT, Member, MultisigConfig};

/// One member to be.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberArgs {
    /// The key that signs.
    pub key: Pubkey,
    /// Bits of [`crate::state::role`].
    pub roles: u8,
}

/// What a team agrees on.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct CreateMultisigArgs {
    /// Approvals that lock a proposal.
    pub threshold: u8,
    /// Proposals one member may have open at once.
    pub open_cap: u8,
    /// Whether votes in durable-nonce transactions count.
    pub allow_durable_nonce: bool,
    /// Seconds below which the timelock can never be set.
    pub timelock_floor: u32,
    /// Seconds between the deciding approval and the earliest execution.
    pub timelock: u32,
    /// Seconds after that in which a proposal can be executed.
    pub execution_window: u32,
    /// Seconds after execution in which members can vote for rollback.
    pub rollback_window: u32,
    /// The only account that an upgrade's surplus lamports go to.
    pub treasury: Pubkey,
    /// Members, sorted by key.
    pub members: Vec<MemberArgs>,
}

/// Accounts of `create_multisig`.
#[event_cpi]
#[derive(Accounts)]
pub struct CreateMultisig<'info> {
    /// Seeds the address.
    pub create_key: Signer<'info>,
    /// Pays for the account.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The new multisig.
    #[account(
        init,
        payer = payer,
        space = 8 + MultisigConfig::INIT_SPACE,
        seeds = [seeds::MULTISIG, create_key.key().as_ref()],
        bump,
    )]
    pub multisig: Box<Account<'info, MultisigConfig>>,
    /// Makes the account.
    pub system_program: Program<'info, System>,
}

impl<'info> CreateMultisig<'info> {
    /// Checks every rule about a team and writes it down.
    pub(crate) fn handle(ctx: Context<'info, Self>, args: CreateMultisigArgs) -> Result<()> {
        let accounts = ctx.accounts;
        let config = args.into_config(accounts.create_key.key(), ctx.bumps.multisig);
        config.invariant()?;
        let event = MultisigCreated {
            multisig: accounts.multisig.key(),
            members: config.members.iter().map(|m| m.key).collect(),
            threshold: config.threshold,
            timelock: config.timelock,
        };
        accounts.multisig.set_inner(config);
        emit(&accounts.event_authority, &event)
    }
}

impl CreateMultisigArgs {
    fn into_config(self, create_key: Pubkey, bump: u8) -> MultisigConfig {
        let member = |m: MemberArgs| Member { key: m.key, roles: m.roles, open: 0 };
        MultisigConfig {
            layout: LAYOUT,
            bump,
            create_key,
            config_epoch: 0,
            threshold: self.threshold,
            open_cap: self.open_cap,
            allow_durable_nonce: self.allow_durable_nonce,
            timelock_floor: self.timelock_floor,
            timelock: self.timelock,
            execution_window: self.execution_window,
            rollback_window: self.rollback_window,
            treasury: self.treasury,
            next_proposal: 0,
            members: self.members.into_iter().map(member).collect(),
            reserved: [0; 128],
        }
    }
}
