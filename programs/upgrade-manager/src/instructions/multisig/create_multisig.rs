//! Creates a multisig. The key that seeds its address signs, so nobody else can take the address.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::io::Payer;
use crate::events::MultisigCreated;
use crate::external::squads;
use crate::runtime::emit::emit;
use crate::seeds;
use crate::state::{MultisigConfig, MultisigRules};

/// Accounts of `create_multisig`; behind them the Squads multisig, for a multisig that has one.
#[derive(Accounts)]
pub struct CreateMultisig<'info> {
    /// Seeds the address.
    pub create_key: Signer<'info>,
    /// Pays for the account.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// CHECK: the new multisig; `io::create` makes it at its address.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// Makes the account.
    pub system_program: Program<'info, System>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> CreateMultisig<'info> {
    /// Checks the rules and creates the multisig.
    pub(crate) fn handle(ctx: Context<'info, Self>, rules: MultisigRules) -> Result<()> {
        let accounts = ctx.accounts;
        let (create_key, payer) = (accounts.create_key.key(), accounts.payer.key());
        let new = MultisigConfig::new(rules, (create_key, 0), payer, Clock::get()?.slot)?;
        let mut config = Box::new(new);
        squads::require_policy(&config, ctx.remaining_accounts)?;
        config.bump = accounts.create(&create_key)?;
        io::write(&accounts.multisig, &*config)?;
        let event = MultisigCreated {
            multisig: accounts.multisig.key(),
            members: config.members.iter().map(|m| m.key).collect(),
            threshold: config.threshold,
            timelock: config.timelock,
        };
        emit(&accounts.event_authority, &event)
    }

    fn create(&self, create_key: &Pubkey) -> Result<u8> {
        let (payer, system_program) = (&self.payer, &self.system_program);
        let by = Payer { payer, system_program, rent: &Rent::get()? };
        let seeds = [seeds::MULTISIG, create_key.as_ref()];
        io::create(&self.multisig, &seeds, 8 + MultisigConfig::INIT_SPACE, &by)
    }
}
