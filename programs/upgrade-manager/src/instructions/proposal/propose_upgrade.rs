//! Creates a proposal that pins everything members will vote on: the new code, the rollback code,
//! the accounts and the times. A program has one open proposal at a time, which starts from the
//! code that runs now. Only a roll-forward may be open beside an upgrade that is not complete.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::io::Payer;
use crate::account_io::multisig::{MultisigAndState, read_multisig_and_state, require_direct};
use crate::account_io::program::read_attestation;
use crate::error::ManagerError;
use crate::events::ProposalCreated;
use crate::external::{loader, squads};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::seeds;
use crate::state::{
    BufferAttestation, BufferRole, Manifest, MultisigConfig, ProgramUpgradeState, ProposalKind,
    Source, Terms, TypeRule, UpgradeProposal, role,
};

/// What the proposer chooses; the rest of the terms is read from the accounts.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct ProposeArgs {
    /// An upgrade, or a roll-forward.
    pub kind: ProposalKind,
    /// Genesis hash of the cluster.
    pub genesis_hash: [u8; 32],
    /// Oldest version of an account that may be migrated.
    pub oldest_version: u16,
    /// Version after the upgrade.
    pub to_version: u16,
    /// Which accounts may be migrated.
    pub type_rules: Vec<TypeRule>,
    /// The accounts that existed when the upgrade was planned.
    pub manifest: Manifest,
    /// Chain time after which nobody can execute.
    pub expires_at: i64,
    /// Where the code comes from.
    pub source: Source,
}

/// Accounts of `propose_upgrade`; behind them the Squads multisig, for a multisig that has one.
#[derive(Accounts)]
pub struct ProposeUpgrade<'info> {
    /// Proposes.
    pub proposer: Signer<'info>,
    /// Pays for the proposal.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the program's state; `handle` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the attestation of the buffer with the new code; `handle` reads it.
    #[account(mut)]
    pub upgrade_attestation: UncheckedAccount<'info>,
    /// CHECK: the attestation of the buffer with the code that runs; `handle` reads it.
    #[account(mut)]
    pub rollback_attestation: UncheckedAccount<'info>,
    /// CHECK: the new code; its attestation names it and `require_frozen` reads it.
    pub upgrade_buffer: UncheckedAccount<'info>,
    /// CHECK: the code that runs; its attestation names it and `require_frozen` reads it.
    pub rollback_buffer: UncheckedAccount<'info>,
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

/// The attestations of the two buffers.
struct AttestedBuffers {
    upgrade: Box<BufferAttestation>,
    rollback: Box<BufferAttestation>,
}

impl<'info> ProposeUpgrade<'info> {
    fn validate(&self, (config, state): &MultisigAndState, kind: ProposalKind) -> Result<()> {
        require_direct(config)?;
        config.require_not_dissolved()?;
        config.require_role(self.proposer.key, role::PROPOSE)?;
        state.require_can_open(kind)
    }

    /// The attestations of the two buffers. Both must be frozen, attested and in no other proposal;
    /// the rollback buffer must hold the code that runs.
    #[inline(never)]
    fn attested_buffers(&self, state: &ProgramUpgradeState) -> Result<AttestedBuffers> {
        let (new, old, program) = (&self.upgrade_buffer, &self.rollback_buffer, &state.program);
        let upgrade = read_attestation(&self.upgrade_attestation, new, program)?;
        let rollback = read_attestation(&self.rollback_attestation, old, program)?;
        upgrade.require_pinnable(&state.program, BufferRole::Upgrade)?;
        rollback.require_pinnable(&state.program, BufferRole::Rollback)?;
        require!(rollback.sha256 == state.elf_hash, ManagerError::RollbackNotLive);
        let authority = state.authority();
        require_frozen(new, &authority)?;
        require_frozen(old, &authority)?;
        Ok(AttestedBuffers { upgrade, rollback })
    }

    /// Surplus lamports must not go to an account that nobody can spend from, and a proposal for
    /// the manager itself has no accounts to migrate.
    fn require_valid_args(
        &self,
        (config, state): &MultisigAndState,
        args: &ProposeArgs,
    ) -> Result<()> {
        let (upgrade, rollback) = (self.upgrade_buffer.key(), self.rollback_buffer.key());
        let unspendable = [state.program, state.program_data, upgrade, rollback, state.authority()];
        require!(!unspendable.contains(&config.treasury), ManagerError::SpillTarget);
        let is_manager = state.program == crate::ID;
        require!(!is_manager || args.type_rules.is_empty(), ManagerError::TypeRule);
        Ok(())
    }

    /// Checks, then creates the proposal and assigns the two buffers to it.
    pub(crate) fn handle(ctx: Context<'info, Self>, args: ProposeArgs) -> Result<()> {
        let (accounts, kind) = (ctx.accounts, args.kind);
        let mut governed = read_multisig_and_state(&accounts.multisig, &accounts.state)?;
        accounts.validate(&governed, kind)?;
        squads::require_policy(&governed.0, ctx.remaining_accounts)?;
        let mut buffers = accounts.attested_buffers(&governed.1)?;
        accounts.require_valid_args(&governed, &args)?;
        let event = accounts.create(&mut governed, &buffers, args)?;
        let (key, (config, mut state)) = (accounts.proposal.key(), governed);
        state.open(key, kind);
        (buffers.upgrade.proposal, buffers.rollback.proposal) = (Some(key), Some(key));
        io::write(&accounts.multisig, &*config)?;
        io::write(&accounts.state, &*state)?;
        io::write(&accounts.upgrade_attestation, &*buffers.upgrade)?;
        io::write(&accounts.rollback_attestation, &*buffers.rollback)?;
        emit(&accounts.event_authority, &event)
    }

    /// Creates the proposal and counts it among its proposer's open ones.
    #[inline(never)]
    fn create(
        &self,
        (config, state): &mut MultisigAndState,
        buffers: &AttestedBuffers,
        args: ProposeArgs,
    ) -> Result<ProposalCreated> {
        let (proposer, payer) = (self.proposer.key(), self.payer.key());
        let id = config.open_proposal(&proposer)?;
        let terms = terms(id, (config, state), buffers, args);
        let now = Clock::get()?.unix_timestamp;
        let new = UpgradeProposal::new(terms, 0, (proposer, payer), config, now)?;
        let mut proposal = Box::new(new);
        let by =
            Payer { payer: &self.payer, system_program: &self.system_program, rent: &Rent::get()? };
        let id = id.to_le_bytes();
        let seeds = [seeds::PROPOSAL, state.program.as_ref(), state.multisig.as_ref(), &id];
        let space = 8 + UpgradeProposal::INIT_SPACE;
        proposal.bump = io::create(&self.proposal, &seeds, space, &by)?;
        io::write(&self.proposal, &*proposal)?;
        Ok(self.event(&proposal))
    }

    fn event(&self, proposal: &UpgradeProposal) -> ProposalCreated {
        let terms = &proposal.terms;
        ProposalCreated {
            proposal: self.proposal.key(),
            program: terms.program,
            id: terms.id,
            proposer: proposal.proposer,
            digest: proposal.digest,
            elf_hash: terms.upgrade.sha256,
            from_version: terms.from_version,
            to_version: terms.to_version,
            accounts: terms.manifest.count,
        }
    }
}

fn terms(
    id: u64,
    (config, state): (&MultisigConfig, &ProgramUpgradeState),
    buffers: &AttestedBuffers,
    args: ProposeArgs,
) -> Terms {
    Terms {
        kind: args.kind,
        id,
        genesis_hash: args.genesis_hash,
        multisig: state.multisig,
        config_epoch: config.config_epoch,
        program: state.program,
        program_data: state.program_data,
        upgrade: buffers.upgrade.pin(),
        rollback: buffers.rollback.pin(),
        spill: config.treasury,
        from_version: state.version,
        oldest_version: args.oldest_version,
        to_version: args.to_version,
        type_rules: args.type_rules,
        manifest: args.manifest,
        expires_at: args.expires_at,
        source: args.source,
    }
}

/// The buffer in `info` is still frozen.
fn require_frozen(info: &AccountInfo, authority: &Pubkey) -> Result<()> {
    loader::buffer(info.owner, &info.try_borrow_data()?)?.require_frozen(authority)?;
    Ok(())
}
