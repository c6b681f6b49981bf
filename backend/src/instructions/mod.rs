//! Builders of the manager's instructions. Account lists are built only here: backend, sandbox and tests
//! all call these functions. Pure: no chain, no keys.
//!
//! | before a vote | the vote | afterwards |
//! |---|---|---|
//! | [`setup`] | [`voting`] | [`code`], [`accounts`], [`closing`] |
//!
//! What a multisig decides about itself, and about who holds a program, is in [`governance`].
pub mod accounts;
pub mod closing;
pub mod code;
pub mod governance;
pub mod setup;
pub mod voting;

use std::sync::{Arc, LazyLock};

use anchor_client::{RequestBuilder, ThreadSafeSigner};
use anchor_lang::{InstructionData, ToAccountMetas};
use solana_client::nonblocking::rpc_client::RpcClient;
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_sdk_ids::bpf_loader_upgradeable;
use solana_signer::null_signer::NullSigner;
use upgrade_manager::{
    seeds,
    state::{GovernanceProposal, MultisigConfig, SquadsVault, Terms, UpgradeProposal},
};

pub use accounts::*;
pub use closing::*;
pub use code::*;
pub use governance::*;
pub use setup::*;
pub use voting::*;

/// The addresses that every instruction about one proposal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposalKeys {
    /// The multisig.
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
        let proposal = seeds::proposal(&program, &multisig, id).0;
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

/// The addresses that a vote on a proposal of either kind names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VotedKeys {
    /// The multisig.
    pub multisig: Pubkey,
    /// The state of the program that the proposal is about, if it is about one.
    pub state: Option<Pubkey>,
    /// The proposal.
    pub proposal: Pubkey,
}

/// Something that members vote on.
pub trait Voted {
    /// The addresses that a vote names.
    fn voted(&self) -> VotedKeys;
}

impl Voted for VotedKeys {
    fn voted(&self) -> VotedKeys {
        *self
    }
}

impl Voted for ProposalKeys {
    fn voted(&self) -> VotedKeys {
        let Self { multisig, state, proposal, .. } = *self;
        VotedKeys { multisig, state: Some(state), proposal }
    }
}

impl Voted for UpgradeProposal {
    fn voted(&self) -> VotedKeys {
        ProposalKeys::from(self).voted()
    }
}

impl Voted for GovernanceProposal {
    fn voted(&self) -> VotedKeys {
        let multisig = self.terms.multisig;
        VotedKeys {
            multisig,
            state: self.terms.action.program().map(|p| seeds::program_state(&p).0),
            proposal: seeds::governance(&multisig, self.terms.id).0,
        }
    }
}

/// `ix` with the Squads multisig as its last account, which the manager requires of a multisig whose voter
/// is a Squads vault; unchanged for any other multisig.
#[must_use]
pub fn with_squads(ix: Instruction, config: &MultisigConfig) -> Instruction {
    behind(ix, config.squads.as_ref())
}

/// `ix` with the Squads multisig of `squads` as its last account.
fn behind(mut ix: Instruction, squads: Option<&SquadsVault>) -> Instruction {
    let account = squads.map(|s| AccountMeta::new_readonly(s.multisig, false));
    ix.accounts.extend(account);
    ix
}

/// The address of the ProgramData account of `program`.
#[must_use]
pub fn program_data_address(program: &Pubkey) -> Pubkey {
    Pubkey::find_program_address(&[program.as_ref()], &bpf_loader_upgradeable::ID).0
}

/// One instruction of the manager. anchor-client's request is used as a builder only: its payer
/// never signs and its client never connects, because sending is the part of `chain`.
fn build(accounts: impl ToAccountMetas, args: impl InstructionData) -> Instruction {
    static NOWHERE: LazyLock<RpcClient> = LazyLock::new(|| RpcClient::new(String::new()));
    let nobody = Arc::new(NullSigner::new(&Pubkey::default()));
    let request: RequestBuilder<_, Arc<dyn ThreadSafeSigner>> =
        RequestBuilder::from(manager(), "", nobody, None, &NOWHERE);
    let built = request.accounts(accounts).args(args).instructions();
    // A request with arguments holds exactly one instruction. The fallback is one that the program refuses.
    built.into_iter().next().unwrap_or_else(|| Instruction::new_with_bytes(manager(), &[], vec![]))
}

fn manager() -> Pubkey {
    upgrade_manager::ID
}
