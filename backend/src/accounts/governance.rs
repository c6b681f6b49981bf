//! Everything that decides about a proposal to change a multisig. One request reads it, so that all of
//! it is of one slot.
use anchor_lang::Discriminator;
use solana_pubkey::Pubkey;
use solana_sdk_ids::sysvar::clock;
use upgrade_manager::{
    seeds,
    state::{GovernanceProposal, MultisigConfig, ProgramUpgradeState},
};

use crate::{
    accounts::{decode, decode_if_made},
    chain::{client::ChainClient, read::ChainTime},
    error::{BackendError, Result},
};

/// Everything that decides about one proposal of a multisig, as of one slot.
pub(crate) struct GovernanceContext {
    pub address: Pubkey,
    pub proposal: GovernanceProposal,
    pub multisig: MultisigConfig,
    /// The state of the program that would leave, while there is one.
    pub state: Option<ProgramUpgradeState>,
    pub now: ChainTime,
}

impl GovernanceContext {
    pub(crate) async fn load(chain: &ChainClient, address: Pubkey) -> Result<Self> {
        let first = chain.account(&address).await?;
        let known: GovernanceProposal = decode("multisig proposal", address, first.as_ref())?;
        let multisig_key = known.terms.multisig;
        let program = known.terms.action.program();
        // Without a program any account of the list will do: it is not looked at.
        let state_key = program.map_or(multisig_key, |p| seeds::program_state(&p).0);
        let got = chain.accounts(&[address, multisig_key, state_key, clock::ID]).await?;
        let [proposal, multisig, state, clock] = got.as_slice() else {
            return Err(BackendError::Range("reading a proposal"));
        };
        let clock =
            clock.as_ref().ok_or(BackendError::NoAccount { what: "clock", address: clock::ID })?;
        let state = match program {
            Some(_) => decode_if_made("program state", state_key, state.as_ref())?,
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

/// Whether `address` holds a proposal about a multisig.
pub(crate) async fn is_governance(chain: &ChainClient, address: &Pubkey) -> Result<bool> {
    let raw = chain.account(address).await?;
    Ok(raw.is_some_and(|raw| {
        raw.owner == upgrade_manager::ID && raw.data.starts_with(GovernanceProposal::DISCRIMINATOR)
    }))
}
