//! The manager's instructions as bytes and account lists. The one place where such a list is built:
//! backend, sandbox and tests all call these. Pure: no chain, no keys.
//!
//! | before a vote | the vote | afterwards |
//! |---|---|---|
//! | [`setup`] | [`voting`] | [`code`], [`accounts`], [`closing`] |
pub mod accounts;
pub mod closing;
pub mod code;
pub mod setup;
pub mod voting;

use anchor_lang::{InstructionData, ToAccountMetas};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_sdk_ids::bpf_loader_upgradeable;
use upgrade_manager::{
    seeds,
    state::{Terms, UpgradeProposal},
};

pub use accounts::*;
pub use closing::*;
pub use code::*;
pub use setup::*;
pub use voting::*;

/// The addresses that every instruction about one proposal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposalKeys {
    /// The team.
    pub multisig: Pubkey,
    /// The program.
    pub program: Pubkey,
    /// The program's state.
    pub state: Pubkey,
    /// The proposal.
    pub proposal: Pubkey,
}

impl ProposalKeys {
    /// The addresses of proposal `id` of `program`, decided by `multisig`.
    #[must_use]
    pub fn new(multisig: Pubkey, program: Pubkey, id: u64) -> Self {
        let proposal = seeds::proposal(&program, id).0;
        Self { multisig, program, state: seeds::program_state(&program).0, proposal }
    }

    /// The addresses that a proposal's `terms` name.
    #[must_use]
    pub fn of(terms: &Terms) -> Self {
        Self::new(terms.multisig, terms.program, terms.id)
    }
}

impl From<&UpgradeProposal> for ProposalKeys {
    fn from(proposal: &UpgradeProposal) -> Self {
        Self::of(&proposal.terms)
    }
}

/// Where the loader keeps the code of `program`.
#[must_use]
pub fn program_data_address(program: &Pubkey) -> Pubkey {
    Pubkey::find_program_address(&[program.as_ref()], &bpf_loader_upgradeable::ID).0
}

fn build(accounts: &impl ToAccountMetas, data: &impl InstructionData) -> Instruction {
    Instruction {
        program_id: upgrade_manager::ID,
        accounts: accounts.to_account_metas(None),
        data: data.data(),
    }
}

fn manager() -> Pubkey {
    upgrade_manager::ID
}
