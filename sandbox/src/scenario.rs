//! The seeded chain: two programs, a multisig, users with money in vaults, and an upgrade that waits for
//! two more votes. Everything an operator would do goes through the backend as an operator's would.
use std::path::PathBuf;

use anyhow::Result;
use backend::{ChainClient, ChainClientConfig, SentTx};
use solana_pubkey::Pubkey;

use crate::{
    chain::{ChainConfig, LocalChain},
    elves::Elves,
    keys::Keys,
    ready::Ready,
    seed::seed,
    steps::step,
};

/// Milliseconds of a slot while the chain is seeded. Every confirmation waits for one, and a blockhash
/// lives for 150 of them: much shorter ones would expire on a busy machine.
const SEED_SLOT_MS: u64 = 50;

/// What the scenario made, and what it sent for it beside code and users' transactions.
#[derive(Clone, Debug)]
pub struct Seeded {
    /// The program that is to be upgraded.
    pub program: Pubkey,
    /// Its multisig.
    pub multisig: Pubkey,
    /// The proposal.
    pub proposal: Pubkey,
    /// The manager's transactions, in order.
    pub sent: Vec<SentTx>,
}

/// A chain with everything on it. The chain stops when this is dropped.
pub struct World {
    /// The way to it.
    pub gateway: ChainClient,
    /// Who is who.
    pub keys: Keys,
    /// Where old account bytes are kept.
    pub archive: PathBuf,
    /// What is on it beside the two programs and the vaults; nothing on a bare chain.
    pub seeded: Option<Seeded>,
    chain: LocalChain,
}

/// What a caller may choose.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The ELFs.
    pub elves: Elves,
    /// Folder of key files and archive.
    pub data_dir: PathBuf,
    /// Vaults to create.
    pub vaults: u32,
    /// Whether there shall be no multisig and no proposal.
    pub bare: bool,
    /// Micro-lamports per compute unit that every transaction pays on top of the base fee.
    pub unit_price: u64,
    /// The chain, as it shall be once it is seeded.
    pub chain: ChainConfig,
}

impl World {
    /// Starts a chain and seeds it, saying each step on stderr.
    ///
    /// # Errors
    /// The first step that fails, in a sentence.
    pub async fn create(setup: &Setup) -> Result<Self> {
        let keys = Keys::create(&setup.data_dir)?;
        let archive = setup.data_dir.join("archive");
        let (chain, gateway) = step("starting the local chain", start(setup)).await?;
        let seeded = seed(&gateway, &keys, &archive, setup).await?;
        chain.set_slot_time(setup.chain.slot_ms)?;
        Ok(Self { gateway, keys, archive, seeded, chain })
    }

    /// Where everything is.
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
            genesis_hash: Pubkey::new_from_array(self.gateway.genesis_hash()).to_string(),
            archive: self.archive.clone(),
        }
    }
}

async fn start(setup: &Setup) -> Result<(LocalChain, ChainClient)> {
    let (config, unit_price) = (setup.chain, setup.unit_price);
    let chain = LocalChain::start(ChainConfig { slot_ms: SEED_SLOT_MS, ..config })?;
    let gateway = ChainClientConfig { unit_price, ..ChainClientConfig::new(chain.http()) };
    let gateway = ChainClient::connect(gateway).await?;
    Ok((chain, gateway))
}
