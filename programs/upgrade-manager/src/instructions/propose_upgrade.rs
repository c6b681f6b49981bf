//! Pins everything a vote will agree to: code, rollback, accounts, times. One proposal lives at a
//! time, and it starts from what runs now.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::ProposalCreated;
use crate::loader;
use crate::seeds;
use crate::state::{
    BufferAttestation, BufferRole, Manifest, MultisigConfig, ProgramUpgradeState, ProposalKind,
    Source, Terms, TypeRule, UpgradeProposal, role,
};

/// What the proposer chooses; the rest of the terms is read from the accounts.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct ProposeArgs {
    /// An upgrade, or one that takes the place of an unfinished one.
    pub kind: ProposalKind,
    /// Genesis hash of the cluster.
    pub genesis_hash: [u8; 32],
    /// Oldest version of an account that may be migrated.
    pub oldest_version: u16,
    /// Version after the upgrade.
    pub to_version: u16,
    /// Which accounts may be migrated.
    pub type_rules: Vec<TypeRule>,
    /// The accounts seen at planning.
    pub manifest: Manifest,
    /// Chain time after which nobody can execute.
    pub expires_at: i64,
    /// Where the code comes from.
    pub source: Source,
}

/// Accounts of `propose_upgrade`.
#[event_cpi]
#[derive(Accounts)]
pub struct ProposeUpgrade<'info> {
    /// Proposes.
    pub proposer: Signer<'info>,
    /// Pays for the proposal.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The team.
    #[account(
        mut,
        dup,
        seeds = [seeds::MULTISIG, multisig.create_key.as_ref()],
        bump = multisig.bump,
    )]
    pub multisig: Box<Account<'info, MultisigConfig>>,
    /// The program.
    #[account(
        mut,
        dup,
        seeds = [seeds::PROGRAM, state.program.as_ref()],
        bump = state.bump,
        has_one = multisig @ ManagerError::WrongAccount,
    )]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// What is known of the buffer with the new code.
    #[account(
        mut,
        seeds = [seeds::ATTESTATION, upgrade_buffer.key().as_ref()],
        bump = upgrade_attestation.bump,
    )]
    pub upgrade_attestation: Box<Account<'info, BufferAttestation>>,
    /// What is known of the buffer with the code that runs.
    #[account(
        mut,
        seeds = [seeds::ATTESTATION, rollback_buffer.key().as_ref()],
        bump = rollback_attestation.bump,
    )]
    pub rollback_attestation: Box<Account<'info, BufferAttestation>>,
    /// CHECK: the new code; its attestation's address names it and `validate` reads it.
    pub upgrade_buffer: UncheckedAccount<'info>,
    /// CHECK: the code that runs; its attestation's address names it and `validate` reads it.
    pub rollback_buffer: UncheckedAccount<'info>,
    /// The new proposal.
    #[account(
        init,
        payer = payer,
        space = 8 + UpgradeProposal::INIT_SPACE,
        seeds = [
            seeds::PROPOSAL,
            state.program.as_ref(),
            &multisig.next_proposal.to_le_bytes(),
        ],
        bump,
    )]
    pub proposal: Box<Account<'info, UpgradeProposal>>,
    /// Makes the account.
    pub system_program: Program<'info, System>,
}

impl<'info> ProposeUpgrade<'info> {
    fn validate(&self) -> Result<()> {
        self.multisig.require_role(&self.proposer.key(), role::PROPOSE)?;
        control!(self.state.live_proposal.is_none(), ManagerError::LiveProposal);
        self.state.require_steady()?;
        let (upgrade, rollback) = (&self.upgrade_attestation, &self.rollback_attestation);
        upgrade.require_free(&self.state.program, BufferRole::Upgrade)?;
        rollback.require_free(&self.state.program, BufferRole::Rollback)?;
        control!(rollback.sha256 == self.state.elf_hash, ManagerError::RollbackNotLive);
        let authority = self.state.authority()?;
        for buffer in [&self.upgrade_buffer, &self.rollback_buffer] {
            let data = buffer.try_borrow_data()?;
            loader::buffer(buffer.owner, &data)?.require_frozen(&authority)?;
        }
        Ok(())
    }

    fn terms(&self, id: u64, args: ProposeArgs) -> Terms {
        Terms {
            kind: args.kind,
            id,
            genesis_hash: args.genesis_hash,
            multisig: self.multisig.key(),
            config_epoch: self.multisig.config_epoch,
            program: self.state.program,
            program_data: self.state.program_data,
            upgrade: self.upgrade_attestation.pin(),
            rollback: self.rollback_attestation.pin(),
            spill: self.multisig.treasury,
            from_version: self.state.version,
            oldest_version: args.oldest_version,
            to_version: args.to_version,
            type_rules: args.type_rules,
            manifest: args.manifest,
            expires_at: args.expires_at,
            source: args.source,
        }
    }

    /// Writes the proposal down and takes its buffers.
    pub(crate) fn handle(ctx: Context<'info, Self>, args: ProposeArgs) -> Result<()> {
        let accounts = ctx.accounts;
        accounts.validate()?;
        let (proposer, payer) = (accounts.proposer.key(), accounts.payer.key());
        let id = accounts.multisig.open_proposal(&proposer)?;
        let key = accounts.proposal.key();
        accounts.state.live_proposal = Some(key);
        accounts.upgrade_attestation.proposal = Some(key);
        accounts.rollback_attestation.proposal = Some(key);
        accounts.proposal.set_inner(UpgradeProposal::new(
            accounts.terms(id, args),
            ctx.bumps.proposal,
            (proposer, payer),
            &accounts.multisig,
            Clock::get()?.unix_timestamp,
        )?);
        emit(&accounts.event_authority, &accounts.event())
    }

    fn event(&self) -> ProposalCreated {
        let terms = &self.proposal.terms;
        ProposalCreated {
            proposal: self.proposal.key(),
            program: terms.program,
            id: terms.id,
            proposer: self.proposal.proposer,
            digest: self.proposal.digest,
            elf_hash: terms.upgrade.sha256,
            from_version: terms.from_version,
            to_version: terms.to_version,
            accounts: terms.manifest.count,
        }
    }
}
