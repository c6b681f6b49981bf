//! The seeded chain: two programs, a multisig, users with balances in vaults, and an upgrade that
//! needs two more votes. Every step of an operator goes through the backend.
use std::path::PathBuf;

use anyhow::Result;
use backend::{ChainClient, ChainClientConfig};
use solana_pubkey::Pubkey;

use crate::{
    chain::local_chain::{ChainConfig, LocalChain},
    scenario::{
        keys::Keys,
        ready::Ready,
        seed::{Seeded, seed},
        setup::Setup,
        step::step,
    },
};

/// Milliseconds of a slot while the chain is seeded. Every confirmation waits for one, and a blockhash
/// lives for 150 of them: much shorter ones would expire on a busy machine.
const SEED_SLOT_MS: u64 = 50;

/// A running, seeded chain. It stops when this value is dropped.
pub struct World {
    /// The client of the chain.
    pub client: ChainClient,
    /// Members, deployer and treasury.
    pub keys: Keys,
    /// Folder in which old account bytes are archived.
    pub archive: PathBuf,
    /// What is on it beside the two programs and the vaults; nothing on a bare chain.
    pub seeded: Option<Seeded>,
    chain: LocalChain,
}

impl World {
    /// Starts a chain and seeds it, saying each step on stderr.
    ///
    /// # Errors
    /// The first step that fails, in a sentence.
    pub async fn create(setup: &Setup) -> Result<Self> {
        let keys = Keys::create(&setup.data_dir)?;
        let archive = setup.data_dir.join("archive");
        let (chain, client) = step("starting the local chain", start(setup)).await?;
        let seeded = seed(&client, &keys, &archive, setup).await?;
        chain.set_slot_time(setup.chain.slot_ms)?;
        Ok(Self { client, keys, archive, seeded, chain })
    }

    /// What a parent process has to know about this chain.
    #[must_use]
    pub fn ready(&self) -> Ready {
        Ready {
            http: self.chain.http().into(),
            ws: self.chain.ws().into(),
            program: demo_vault::ID.to_string(),
            multisig: self.seeded.as_ref().map(|s| s.multisig.to_string()),
            proposal: self.seeded.as_ref().map(|s| s.proposal.to_string()),
            deployer: self.keys.deployer.path.clone(),
            treasury: self.keys.treasury.to_string(),
            members: self.keys.members.iter().map(|m| m.path.clone()).collect(),
            genesis_hash: Pubkey::new_from_array(self.client.genesis_hash()).to_string(),
            archive: self.archive.clone(),
        }
    }
}

async fn start(setup: &Setup) -> Result<(LocalChain, ChainClient)> {
    let (config, unit_price) = (setup.chain, setup.unit_price);
    let chain = LocalChain::start(ChainConfig { slot_ms: SEED_SLOT_MS, ..config })?;
    let client = ChainClientConfig { unit_price, ..ChainClientConfig::new(chain.http()) };
    let client = ChainClient::connect(client).await?;
    Ok((chain, client))
}
