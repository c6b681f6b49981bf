//! A proposal to upgrade a program, with the accounts its rules depend on. One request reads them all, so
//! that they are of one slot.
use solana_pubkey::Pubkey;
use solana_sdk_ids::sysvar::clock;
use upgrade_manager::{
    seeds,
    state::{Executed, MultisigConfig, ProgramUpgradeState, UpgradeProposal},
};

use crate::{
    accounts::decode,
    chain::{
        client::ChainClient,
        read::{ChainTime, RawAccount},
    },
    error::{BackendError, Result},
};

/// A proposal and the accounts its rules depend on, as of one slot.
#[derive(Clone, Debug)]
pub struct ProposalContext {
    /// The proposal's address.
    pub address: Pubkey,
    /// The proposal.
    pub proposal: UpgradeProposal,
    /// The multisig.
    pub multisig: MultisigConfig,
    /// The program's state.
    pub state: ProgramUpgradeState,
    /// The chain's clock.
    pub now: ChainTime,
}

impl ProposalContext {
    /// Reads everything about `address`.
    ///
    /// # Errors
    /// The network's, or what is wrong with an account.
    pub async fn load(chain: &ChainClient, address: Pubkey) -> Result<Self> {
        let first = chain.account(&address).await?;
        Self::load_after(chain, address, first.as_ref()).await
    }

    /// The same, where the account `first` was read before. Its content only tells which accounts to ask
    /// for; the proposal itself is read again with them.
    pub(crate) async fn load_after(
        chain: &ChainClient,
        address: Pubkey,
        first: Option<&RawAccount>,
    ) -> Result<Self> {
        let known: UpgradeProposal = decode("proposal", address, first)?;
        let (multisig_key, program) = (known.terms.multisig, known.terms.program);
        let state_key = seeds::program_state(&program).0;
        let got = chain.accounts(&[address, multisig_key, state_key, clock::ID]).await?;
        let [proposal, multisig, state, clock] = got.as_slice() else {
            return Err(BackendError::Range("reading a proposal"));
        };
        let clock =
            clock.as_ref().ok_or(BackendError::NoAccount { what: "clock", address: clock::ID })?;
        Ok(Self {
            address,
            proposal: decode("proposal", address, proposal.as_ref())?,
            multisig: decode("multisig", multisig_key, multisig.as_ref())?,
            state: decode("program state", state_key, state.as_ref())?,
            now: clock.chain_time()?,
        })
    }

    /// The program that the proposal upgrades.
    #[must_use]
    pub fn program(&self) -> Pubkey {
        self.proposal.terms.program
    }

    /// The proposal in the form that version records refer to.
    #[must_use]
    pub fn executed(&self) -> Executed {
        self.proposal.executed_as(self.address)
    }
}
