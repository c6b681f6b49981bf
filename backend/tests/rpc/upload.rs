//! Uploads through a node that loses writes, lets them expire, or fails them.
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use backend::{
    Archive, Backend, BackendError, ChainClient, ChainClientConfig, FileArchive, FileSigner,
    KeypairSigner, ProgramBuilder, SetupManager, Signer, UploadRequest, Uploaded,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_sdk_ids::{bpf_loader_upgradeable as loader, system_program};
use solana_transaction::Transaction;

use crate::fake_node::{FakeNode, Reply};

const HEADER: usize = 37;

/// What the node does with the write at an offset that it sees for the `n`th time.
type WriteScript = fn(offset: usize, n: usize) -> Write;

enum Write {
    Lands,
    Lost,
    Fails,
}

/// A chain with one buffer on it.
struct Chain {
    owner: Pubkey,
    buffer: Option<Vec<u8>>,
    /// Every write that reached the node: its offset and signature.
    writes: Vec<(usize, String)>,
    /// The priority fee of each, per compute unit.
    prices: Vec<Option<u64>>,
    landed: BTreeSet<String>,
    failed: BTreeSet<String>,
    /// Slot and block height, which are equal.
    height: u64,
    /// By how much the height grows with every `getEpochInfo`.
    pace: u64,
    statuses: usize,
    script: WriteScript,
}

impl Chain {
    fn answer(&mut self, method: &str, params: &Value, before: usize) -> Reply {
        let context = |value: Value| Reply::Result(json!({"context": {"slot": 9}, "value": value}));
        let hash = |byte: u8| json!(solana_hash::Hash::new_from_array([byte; 32]).to_string());
        match method {
            "getGenesisHash" => Reply::Result(hash(7)),
            "getMinimumBalanceForRentExemption" => Reply::Result(json!(5)),
            "getMultipleAccounts" => {
                let key: Pubkey = params[0][0].as_str().unwrap().parse().unwrap();
                let (owner, data) = match &self.buffer {
                    _ if key == self.owner => (system_program::ID, &vec![]),
                    Some(data) => (loader::ID, data),
                    None => return context(json!([null])),
                };
                context(json!([{
                    "lamports": 9_000_000_000u64, "owner": owner.to_string(), "executable": false,
                    "rentEpoch": 0, "space": data.len(),
                    "data": [BASE64_STANDARD.encode(data), "base64"],
                }]))
            }
            "simulateTransaction" => {
                context(json!({"err": null, "logs": [], "unitsConsumed": 2370}))
            }
            "getLatestBlockhash" => {
                let seed = u8::try_from(before).unwrap();
                let value =
                    json!({"blockhash": hash(seed), "lastValidBlockHeight": self.height + 150});
                Reply::Result(json!({"context": {"slot": self.height}, "value": value}))
            }
            "getEpochInfo" => {
                self.height += self.pace;
                Reply::Result(json!({"absoluteSlot": self.height, "blockHeight": self.height}))
            }
            "sendTransaction" => Reply::Result(json!(self.take(params))),
            "getSignatureStatuses" => {
                let asked = params[0].as_array().unwrap();
                self.statuses = self.statuses.max(asked.len());
                context(json!(
                    asked.iter().map(|s| self.status(s.as_str().unwrap())).collect::<Vec<_>>()
                ))
            }
            _ => Reply::Error(-32601, "unknown"),
        }
    }

    fn take(&mut self, params: &Value) -> String {
        let bytes = BASE64_STANDARD.decode(params[0].as_str().unwrap()).unwrap();
        let transaction: Transaction = bincode::deserialize(&bytes).unwrap();
        let signature = transaction.signatures[0].to_string();
        let keys = &transaction.message.account_keys;
        let loaded = |ix: &&solana_message::compiled_instruction::CompiledInstruction| {
            keys[usize::from(ix.program_id_index)] == loader::ID
        };
        let data = &transaction.message.instructions.iter().find(loaded).unwrap().data;
        if data[0] == 1 {
            let at = usize::try_from(u32::from_le_bytes(data[4..8].try_into().unwrap())).unwrap();
            let n = self.writes.iter().filter(|(offset, _)| *offset == at).count();
            self.writes.push((at, signature.clone()));
            self.prices.push(price(&transaction.message));
            match (self.script)(at, n) {
                Write::Lost => return signature,
                Write::Fails => {
                    self.failed.insert(signature.clone());
                    return signature;
                }
                Write::Lands => {}
            }
            let end = HEADER + at + data.len() - 16;
            self.buffer.as_mut().unwrap()[HEADER + at..end].copy_from_slice(&data[16..]);
        } else {
            let creates = |ix: &&solana_message::compiled_instruction::CompiledInstruction| {
                keys[usize::from(ix.program_id_index)] == system_program::ID
            };
            let space = transaction.message.instructions.iter().find(creates).unwrap();
            let len = usize::try_from(u64::from_le_bytes(space.data[12..20].try_into().unwrap()));
            let mut made = [&[1, 0, 0, 0, 1], self.owner.as_ref()].concat();
            made.resize(len.unwrap(), 0);
            self.buffer = Some(made);
        }
        self.landed.insert(signature.clone());
        signature
    }

    fn status(&self, signature: &str) -> Value {
        let err = if self.failed.contains(signature) {
            json!({"InstructionError": [1, "IncorrectAuthority"]})
        } else if self.landed.contains(signature) {
            Value::Null
        } else {
            return Value::Null;
        };
        let status = if err.is_null() { json!({"Ok": null}) } else { json!({"Err": err}) };
        json!({
            "slot": 77, "confirmations": 1, "err": err, "status": status,
            "confirmationStatus": "confirmed",
        })
    }
}

struct World {
    chain: Arc<Mutex<Chain>>,
    node: FakeNode,
    builder: ProgramBuilder,
    elf: Vec<u8>,
    dir: tempfile::TempDir,
}

impl World {
    async fn start(len: usize, script: WriteScript) -> Self {
        Self::with(len, script, |config| config).await
    }

    async fn with(
        len: usize,
        script: WriteScript,
        set: fn(ChainClientConfig) -> ChainClientConfig,
    ) -> Self {
        let signer = KeypairSigner::new(Keypair::new());
        let chain = Arc::new(Mutex::new(Chain {
            owner: signer.pubkey(),
            buffer: None,
            writes: vec![],
            prices: vec![],
            landed: BTreeSet::new(),
            failed: BTreeSet::new(),
            height: 1_000,
            pace: 1,
            statuses: 0,
            script,
        }));
        let shared = Arc::clone(&chain);
        let node = FakeNode::start(move |method, params, before| {
            shared.lock().unwrap().answer(method, params, before)
        })
        .await;
        let client = ChainClient::connect(set(ChainClientConfig::new(&node.url))).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let archive: Arc<dyn Archive> = Arc::new(FileArchive::at(dir.path()));
        let builder =
            ProgramBuilder::new(&Backend::new(client, archive, Some(Arc::new(signer))).context());
        let mut elf: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).unwrap() + 1).collect();
        elf[..64].fill(0);
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[18] = 247;
        Self { chain, node, builder, elf, dir }
    }

    async fn upload(&self) -> Result<Uploaded, BackendError> {
        let file = self.dir.path().join("program.so");
        std::fs::write(&file, &self.elf).unwrap();
        let elf = self.builder.check_file(&file).unwrap();
        self.builder.upload(&elf, Path::new(&self.dir.path().join("buffer.json")), None).await
    }

    fn chain(&self) -> std::sync::MutexGuard<'_, Chain> {
        self.chain.lock().unwrap()
    }
}

/// The price that the compute budget's instruction 3 sets.
fn price(message: &solana_message::Message) -> Option<u64> {
    message.instructions.iter().find_map(|ix| {
        let program = message.account_keys[usize::from(ix.program_id_index)];
        let budget = program == solana_sdk_ids::compute_budget::ID && ix.data[0] == 3;
        budget.then(|| u64::from_le_bytes(ix.data[1..9].try_into().unwrap()))
    })
}

/// Offsets in the order of their writes, and how many signatures each had.
fn writes(chain: &Chain, at: usize) -> (usize, usize) {
    let of: Vec<_> = chain.writes.iter().filter(|(offset, _)| *offset == at).collect();
    (of.len(), of.iter().map(|(_, s)| s).collect::<BTreeSet<_>>().len())
}

#[tokio::test]
async fn statuses_of_writes_are_polled_in_batches() {
    let world = World::start(300_000, |_, _| Write::Lands).await;
    let done = world.upload().await.unwrap();
    let chain = world.chain();
    assert_eq!(chain.buffer.as_ref().unwrap()[HEADER..], world.elf);
    assert!(chain.writes.len() > 256, "{}", chain.writes.len());
    assert_eq!(done.sent.len(), chain.writes.len() + 1, "the buffer's creation and every write");
    assert!(chain.statuses > 1 && chain.statuses <= 256, "{} in one request", chain.statuses);
    let asked = world.node.asked("getSignatureStatuses").len();
    assert!(asked < 10, "{asked} requests for {} writes", chain.writes.len());
}

#[tokio::test]
async fn only_a_lost_write_is_sent_again_and_as_the_same_transaction() {
    let world = World::start(9_000, |at, n| match (at, n) {
        (0, 0) => Write::Lost,
        _ => Write::Lands,
    })
    .await;
    world.upload().await.unwrap();
    let chain = world.chain();
    assert_eq!(chain.buffer.as_ref().unwrap()[HEADER..], world.elf);
    let (times, signatures) = writes(&chain, 0);
    assert!(times == 2 && signatures == 1, "{:?}", chain.writes);
    let others: BTreeSet<_> = chain.writes.iter().map(|(at, _)| *at).filter(|at| *at > 0).collect();
    assert!(others.len() > 5);
    assert!(others.iter().all(|at| writes(&chain, *at) == (1, 1)), "{:?}", chain.writes);
}

#[tokio::test]
async fn an_expired_write_is_signed_again_and_nothing_else_is() {
    // Lost once and expired at the fourth poll: every poll raises the height.
    let lose = |at, n| if (at, n) == (0, 0) { Write::Lost } else { Write::Lands };
    let world = World::start(9_000, lose).await;
    world.chain().pace = 40;
    let done = world.upload().await.unwrap();
    let chain = world.chain();
    assert_eq!(chain.buffer.as_ref().unwrap()[HEADER..], world.elf);
    let (_, signatures) = writes(&chain, 0);
    assert_eq!(signatures, 2, "{:?}", chain.writes);
    assert!(chain.writes.iter().all(|(at, _)| *at == 0 || writes(&chain, *at) == (1, 1)));
    assert_eq!(
        done.sent.len(),
        chain.writes.len(),
        "the lost write is not reported, the creation is"
    );
}

#[tokio::test]
async fn a_write_that_fails_on_chain_ends_the_upload_with_its_reason() {
    let world =
        World::start(9_000, |at, _| if at == 0 { Write::Fails } else { Write::Lands }).await;
    let error = world.upload().await.unwrap_err();
    let BackendError::Transaction { signature: Some(signature), failure, .. } = error else {
        panic!("{error}");
    };
    let chain = world.chain();
    assert!(chain.failed.contains(&signature));
    assert!(failure.sentence.contains(&loader::ID.to_string()), "{failure}");
    assert_eq!(writes(&chain, 0), (1, 1), "it was sent again although it had failed");
}

#[tokio::test]
async fn lost_writes_on_a_stalled_chain_end_the_upload() {
    let lose = |_, _| Write::Lost;
    let soon = |config| ChainClientConfig { outcome_timeout: Duration::from_millis(200), ..config };
    let world = World::with(9_000, lose, soon).await;
    world.chain().pace = 0;
    let error = world.upload().await.unwrap_err();
    assert!(matches!(error, BackendError::Stopped(_)), "{error}");
    let said = error.to_string();
    assert!(said.contains("same key file") && !said.contains("nothing was signed"), "{said}");
    assert!(said.contains(&world.chain().writes[0].1), "{said}");
}

#[tokio::test]
async fn every_write_pays_the_configured_priority_fee_or_none() {
    let dear = |config| ChainClientConfig { unit_price: 1_000, ..config };
    let world = World::with(9_000, |_, _| Write::Lands, dear).await;
    world.upload().await.unwrap();
    assert!(world.chain().prices.iter().all(|p| *p == Some(1_000)), "{:?}", world.chain().prices);
    let world = World::start(9_000, |_, _| Write::Lands).await;
    world.upload().await.unwrap();
    assert!(world.chain().prices.iter().all(Option::is_none));
}

#[tokio::test]
async fn a_second_upload_writes_only_what_differs() {
    let world = World::start(9_000, |_, _| Write::Lands).await;
    world.upload().await.unwrap();
    let before = {
        let mut chain = world.chain();
        *chain.buffer.as_mut().unwrap().last_mut().unwrap() ^= 1;
        chain.writes.len()
    };
    world.upload().await.unwrap();
    let chain = world.chain();
    assert_eq!(chain.writes.len(), before + 1);
    assert_eq!(chain.buffer.as_ref().unwrap()[HEADER..], world.elf);
}

#[tokio::test]
async fn without_a_key_an_upload_is_shown_and_the_buffer_is_not_blamed() {
    let world = World::start(1_000, |_, _| Write::Lands).await;
    world.upload().await.unwrap();
    let client = ChainClient::connect(ChainClientConfig::new(&world.node.url)).await.unwrap();
    let archive: Arc<dyn Archive> = Arc::new(FileArchive::at(world.dir.path()));
    let request = UploadRequest {
        elf: world.builder.check_file(&world.dir.path().join("program.so")).unwrap(),
        program: None,
        key_file: world.dir.path().join("buffer.json"),
        remove_key_file: false,
    };
    let key = FileSigner::open(&request.key_file).unwrap().pubkey();
    let setup = SetupManager::new(&Backend::new(client, archive, None).context());
    let shown = setup.upload(request).await.unwrap();
    assert_eq!(shown.subject, Some(key));
    assert!(shown.failed().unwrap().sentence.contains("No key is loaded"));
}
