//! A chain in memory with one proposal, whose accounts a test can change between two requests.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use anchor_lang::AccountSerialize;
use backend::{
    Archive, Backend, ChainClient, ChainClientConfig, FileArchive, KeypairSigner, Signer,
    instructions::ProposalKeys,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_sdk_ids::sysvar;
use upgrade_manager::{
    fixtures::{self, key},
    seeds,
    state::{MultisigConfig, MultisigRules, Terms, UpgradeProposal},
};

use crate::fake_node::{FakeNode, Reply};

pub const NOW: i64 = 1_800_000_000;
pub const SLOT: u64 = 1_000;

type Accounts = Arc<Mutex<BTreeMap<Pubkey, (Pubkey, Vec<u8>)>>>;

/// The chain, the node in front of it, and the backend under test.
pub struct FakeChain {
    pub node: FakeNode,
    pub backend: Backend,
    pub proposal: Pubkey,
    pub others: Vec<Pubkey>,
    accounts: Accounts,
    config: Pubkey,
    signer: Arc<dyn Signer>,
    _dir: tempfile::TempDir,
}

fn encode(account: &impl AccountSerialize) -> Vec<u8> {
    let mut bytes = vec![];
    account.try_serialize(&mut bytes).unwrap();
    bytes
}

fn clock() -> Vec<u8> {
    let mut bytes = SLOT.to_le_bytes().to_vec();
    bytes.extend([0; 24]);
    bytes.extend(NOW.to_le_bytes());
    bytes
}

fn answer(accounts: &Accounts, method: &str, params: &Value) -> Reply {
    let context = |value: Value| Reply::Result(json!({"context": {"slot": SLOT}, "value": value}));
    match method {
        "getGenesisHash" => {
            Reply::Result(json!(solana_hash::Hash::new_from_array([7; 32]).to_string()))
        }
        "getMultipleAccounts" => {
            let accounts = accounts.lock().unwrap();
            let one = |key: &Value| {
                let key: Pubkey = key.as_str().unwrap().parse().unwrap();
                accounts.get(&key).map(|(owner, data)| {
                    json!({
                        "lamports": 10_000_000_000u64, "owner": owner.to_string(), "executable": false,
                        "rentEpoch": 0, "space": data.len(),
                        "data": [BASE64_STANDARD.encode(data), "base64"],
                    })
                })
            };
            context(json!(params[0].as_array().unwrap().iter().map(one).collect::<Vec<_>>()))
        }
        // Every account of the program: the filters are ignored, so the client must filter again.
        "getProgramAccounts" => {
            let accounts = accounts.lock().unwrap();
            let owner: Pubkey = params[0].as_str().unwrap().parse().unwrap();
            let listed =
                accounts.iter().filter(|(_, (of, _))| *of == owner).map(|(key, (_, data))| {
                    json!({"pubkey": key.to_string(), "account": {
                        "lamports": 5, "owner": owner.to_string(), "executable": false,
                        "rentEpoch": 0, "space": data.len(),
                        "data": [BASE64_STANDARD.encode(data), "base64"],
                    }})
                });
            Reply::Result(json!(listed.collect::<Vec<_>>()))
        }
        "simulateTransaction" => context(json!({"err": null, "logs": [], "unitsConsumed": 5000})),
        "getLatestBlockhash" => {
            let hash = solana_hash::Hash::new_from_array([5; 32]).to_string();
            context(json!({"blockhash": hash, "lastValidBlockHeight": 100}))
        }
        "getBlockHeight" => Reply::Result(json!(50)),
        "sendTransaction" => {
            let bytes = BASE64_STANDARD.decode(params[0].as_str().unwrap()).unwrap();
            let first: [u8; 64] = bytes[1..65].try_into().unwrap();
            Reply::Result(json!(solana_signature::Signature::from(first).to_string()))
        }
        "getSignatureStatuses" => context(json!([{
            "slot": SLOT + 1, "confirmations": 1, "err": null, "status": {"Ok": null},
            "confirmationStatus": "confirmed",
        }])),
        _ => Reply::Error(-32601, "unknown"),
    }
}

impl FakeChain {
    /// A 3-of-5 multisig and one proposal without votes; the loaded key is a member.
    pub async fn start() -> Self {
        Self::start_with(|_, _| None).await
    }

    /// The same on a node that fails as `fault` says, by method and how often it was asked before.
    pub async fn start_with(
        fault: impl Fn(&str, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let signer: Arc<dyn Signer> = Arc::new(KeypairSigner::new(Keypair::new()));
        let others: Vec<_> = (1..5).map(key).collect();
        let mut keys = others.clone();
        keys.push(signer.pubkey());
        keys.sort();
        let create_key = key(40);
        let config_key = seeds::multisig(&create_key).0;
        let rules = MultisigRules { treasury: key(41), ..fixtures::rules(keys.iter().copied()) };
        let mut config = MultisigConfig::new(rules, (create_key, 0), others[0], 0).unwrap();
        (config.next_proposal, config.programs, config.open_proposals) = (1, 1, 1);
        let program = key(42);
        let at = ProposalKeys::new(config_key, program, 0);
        let proposal = UpgradeProposal::new(
            terms(config_key, program, &config),
            0,
            (others[0], others[0]),
            &config,
            NOW,
        )
        .unwrap();
        let accounts: Accounts = Arc::default();
        {
            let mut map = accounts.lock().unwrap();
            let manager = upgrade_manager::ID;
            map.insert(config_key, (manager, encode(&config)));
            map.insert(at.proposal, (manager, encode(&proposal)));
            map.insert(
                at.state,
                (manager, encode(&fixtures::program_state(&proposal.terms, at.proposal))),
            );
            map.insert(sysvar::clock::ID, (sysvar::ID, clock()));
            map.insert(signer.pubkey(), (solana_sdk_ids::system_program::ID, vec![]));
        }
        let shared = Arc::clone(&accounts);
        let node = FakeNode::start(move |method, params, before| {
            fault(method, before).unwrap_or_else(|| answer(&shared, method, params))
        })
        .await;
        let client = ChainClient::connect(ChainClientConfig::new(&node.url)).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let archive: Arc<dyn Archive> = Arc::new(FileArchive::at(dir.path()));
        let backend = Backend::new(client, archive, Some(Arc::clone(&signer)));
        Self {
            node,
            backend,
            proposal: at.proposal,
            others,
            accounts,
            config: config_key,
            signer,
            _dir: dir,
        }
    }

    /// The same key and chain over a client that pays a priority fee.
    pub async fn at_price(&self, unit_price: u64) -> Backend {
        let config = ChainClientConfig { unit_price, ..ChainClientConfig::new(&self.node.url) };
        let client = ChainClient::connect(config).await.unwrap();
        Backend::new(client, Arc::clone(self.backend.archive()), Some(Arc::clone(&self.signer)))
    }

    /// Changes the proposal, as another transaction would.
    pub fn change(&self, change: impl FnOnce(&mut UpgradeProposal, &MultisigConfig)) {
        use anchor_lang::AccountDeserialize;
        let mut map = self.accounts.lock().unwrap();
        let config = MultisigConfig::try_deserialize(&mut &map[&self.config].1[..]).unwrap();
        let held = map.get_mut(&self.proposal).unwrap();
        let mut proposal = UpgradeProposal::try_deserialize(&mut &held.1[..]).unwrap();
        change(&mut proposal, &config);
        held.1 = encode(&proposal);
    }

    /// Address of the multisig.
    pub fn multisig(&self) -> Pubkey {
        self.config
    }

    /// Changes the multisig, as another transaction would, and returns it.
    pub fn change_multisig(&self, change: impl FnOnce(&mut MultisigConfig)) -> MultisigConfig {
        use anchor_lang::AccountDeserialize;
        let mut map = self.accounts.lock().unwrap();
        let held = map.get_mut(&self.config).unwrap();
        let mut config = MultisigConfig::try_deserialize(&mut &held.1[..]).unwrap();
        change(&mut config);
        held.1 = encode(&config);
        config
    }

    /// Puts an account at `at`.
    pub fn put(&self, at: Pubkey, owner: Pubkey, data: Vec<u8>) {
        self.accounts.lock().unwrap().insert(at, (owner, data));
    }

    /// Transactions that reached the node.
    pub fn sent(&self) -> usize {
        self.node.asked("sendTransaction").len()
    }
}

fn terms(multisig: Pubkey, program: Pubkey, config: &MultisigConfig) -> Terms {
    Terms {
        genesis_hash: [7; 32],
        multisig,
        program,
        program_data: key(43),
        upgrade: fixtures::elf(44),
        rollback: fixtures::elf(45),
        spill: config.treasury,
        ..fixtures::terms(NOW + 30 * 86_400)
    }
}
