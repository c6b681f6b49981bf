//! A proposal that changes a multisig or hands a program over, with the accounts its rules depend on. One
//! request reads them all, so that they are of one slot.
use anchor_lang::Discriminator;
use solana_pubkey::Pubkey;
use solana_sdk_ids::sysvar::clock;
use upgrade_manager::{
    seeds,
    state::{GovernanceProposal, MultisigConfig, ProgramUpgradeState},
};

use crate::{
    accounts::{decode, decode_optional},
    chain::{
        client::ChainClient,
        read::{ChainTime, RawAccount},
    },
    error::{BackendError, Result},
};

/// Such a proposal and the accounts its rules depend on, as of one slot.
pub(crate) struct GovernanceContext {
    pub address: Pubkey,
    pub proposal: GovernanceProposal,
    pub multisig: MultisigConfig,
    /// The state of the program that would be handed over, if there is one.
    pub state: Option<ProgramUpgradeState>,
    pub now: ChainTime,
}

impl GovernanceContext {
    /// Reads everything about `address`, where `first` was read before. Its content only tells which
    /// accounts to ask for; the proposal itself is read again with them.
    pub(crate) async fn load_after(
        chain: &ChainClient,
        address: Pubkey,
        first: Option<&RawAccount>,
    ) -> Result<Self> {
        let known: GovernanceProposal = decode("multisig proposal", address, first)?;
        let multisig_key = known.terms.multisig;
        let program = known.terms.action.program();
        // Without a program the multisig's address fills the slot; the answer is not used.
        let state_key = program.map_or(multisig_key, |p| seeds::program_state(&p).0);
        let got = chain.accounts(&[address, multisig_key, state_key, clock::ID]).await?;
        let [proposal, multisig, state, clock] = got.as_slice() else {
            return Err(BackendError::Range("reading a proposal"));
        };
        let clock =
            clock.as_ref().ok_or(BackendError::NoAccount { what: "clock", address: clock::ID })?;
        let state = match program {
            Some(_) => decode_optional("program state", state_key, state.as_ref())?,
            None => None,
        };
        Ok(Self {
            address,
            proposal: decode("multisig proposal", address, proposal.as_ref())?,
            multisig: decode("multisig", multisig_key, multisig.as_ref())?,
            state,
            now: clock.chain_time()?,
        })
    }
}

/// Whether `raw` is a proposal that changes a multisig or hands a program over.
pub(crate) fn is_governance(raw: Option<&RawAccount>) -> bool {
    raw.is_some_and(|raw| {
        raw.owner == upgrade_manager::ID && raw.data.starts_with(GovernanceProposal::DISCRIMINATOR)
    })
}
