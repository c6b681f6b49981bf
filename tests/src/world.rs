//! A multisig of five with a program to upgrade: every stage from the first vault to the finished
//! migration, each built once a process and copied for every test.
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, OnceLock, PoisonError},
};

use demo_vault::client;
use litesvm::types::TransactionMetadata;
use sha2::{Digest, Sha256};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{
    seeds,
    state::{
        AccountVersion, BufferAttestation, BufferRole, Manifest, MultisigConfig,
        ProgramUpgradeState, UpgradeProposal, manifest,
    },
};

use crate::{
    chain::Chain,
    elf,
    keys::{address, key, program_key},
    loader,
};

pub const SOL: u64 = 1_000_000_000;
/// The members of the multisig, which has a threshold of three.
pub const MEMBERS: [&str; 5] = ["anna", "ben", "chloe", "dan", "eve"];
/// The members whose approvals reach the threshold.
pub const APPROVERS: [&str; 3] = ["anna", "ben", "chloe"];
/// Seconds from the approval that reaches the threshold to the earliest execution.
pub const TIMELOCK: u32 = 48 * 3600;
/// Seconds after the timelock in which the proposal can be executed.
pub const EXECUTION_WINDOW: u32 = 24 * 3600;
/// Seconds after execution in which members can vote for rollback.
pub const ROLLBACK_WINDOW: u32 = 7 * 24 * 3600;
/// Seconds from proposal to its expiry.
pub const PROPOSAL_LIFETIME: i64 = 14 * 24 * 3600;
/// Vaults that exist when the upgrade is proposed.
pub const VAULTS: u32 = 6;

/// First bytes of an event's self-call: Anchor's `EVENT_IX_TAG_LE`.
pub const EVENT_TAG: &[u8] = anchor_lang::event::EVENT_IX_TAG_LE;

/// How far a world has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Programs deployed, vaults opened.
    Deployed,
    /// The multisig exists.
    Multisig,
    /// The manager holds the vault program's authority.
    Registered,
    /// Both buffers are frozen and attested.
    Attested,
    /// The upgrade is proposed.
    Proposed,
    /// Three members approved.
    Timelocked,
    /// The timelock is over.
    Ready,
    /// The new code is in place, and callable.
    Executed,
    /// Every vault has the new layout.
    Migrated,
    /// Every vault is verified, and the migration complete.
    Completed,
}

impl Stage {
    const ALL: [Self; 10] = [
        Self::Deployed,
        Self::Multisig,
        Self::Registered,
        Self::Attested,
        Self::Proposed,
        Self::Timelocked,
        Self::Ready,
        Self::Executed,
        Self::Migrated,
        Self::Completed,
    ];
}

/// The multisig, its program and everything around it.
#[derive(Clone)]
pub struct World {
    pub chain: Chain,
    /// The vaults, in ascending order of address.
    pub vaults: Vec<Pubkey>,
    /// The vaults' accounts when the upgrade was proposed: what the manifest covers.
    pub before: HashMap<Pubkey, Account>,
    /// Id of the proposal under test.
    pub id: u64,
    /// Discriminators of the events that transactions sent through [`World::run`] have emitted.
    pub events: Vec<[u8; 8]>,
}

/// Discriminators of the events in the inner instructions of a transaction.
pub fn events(meta: &TransactionMetadata) -> Vec<[u8; 8]> {
    let inner = meta.inner_instructions.iter().flatten();
    let event = |data: &[u8]| data.strip_prefix(EVENT_TAG)?.first_chunk().copied();
    inner.filter_map(|i| event(&i.instruction.data)).collect()
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

impl World {
    /// A copy of the world at `stage`; every stage is built once a process.
    pub fn at(stage: Stage) -> Self {
        static BUILT: OnceLock<Mutex<BTreeMap<Stage, World>>> = OnceLock::new();
        let mut built = BUILT
            .get_or_init(Mutex::default)
            .lock()
            // A stage that panicked poisons the lock. Every test that needs this stage builds it
            // again and shows the same panic.
            .unwrap_or_else(PoisonError::into_inner);
        let start = Stage::ALL.into_iter().rev().find(|s| *s <= stage && built.contains_key(s));
        let mut world = start.map_or_else(Self::deployed, |s| built[&s].clone());
        for next in Stage::ALL.into_iter().filter(|s| *s <= stage) {
            if start.is_none_or(|done| done < next) {
                world.advance(next);
                built.insert(next, world.clone());
            }
        }
        world
    }

    /// The two programs, deployed, and funded keys.
    fn deployed() -> Self {
        let mut chain = Chain::new();
        for name in
            MEMBERS.iter().chain(&["dev", "payer", "cranker", "owner", "stranger", "guardian"])
        {
            chain.fund(&address(name), 1_000 * SOL);
        }
        chain.fund(&address("treasury"), SOL);
        let dev = key("dev");
        let manager = elf::manager();
        loader::deploy(&mut chain, &program_key("upgrade-manager"), &dev, manager, manager.len());
        let room = elf::v1().len().max(elf::v2().len()) + 4_096;
        loader::deploy(&mut chain, &program_key("demo-vault"), &dev, elf::v1(), room);
        Self { chain, vaults: vec![], before: HashMap::new(), id: 0, events: vec![] }
    }

    fn advance(&mut self, to: Stage) {
        match to {
            Stage::Deployed => (0..VAULTS).for_each(|i| self.open_vault(i, u64::from(i) * SOL)),
            Stage::Multisig => self.create_multisig(),
            Stage::Registered => self.register(),
            Stage::Attested => self.stage_buffers(elf::v2(), elf::v1()),
            Stage::Proposed => self.propose(),
            Stage::Timelocked => self.approve_by(&APPROVERS),
            Stage::Ready => self.chain.pass(i64::from(TIMELOCK)),
            Stage::Executed => {
                self.execute();
                self.chain.next_slot();
            }
            Stage::Migrated => self.migrate_all(),
            Stage::Completed => {
                self.verify_all();
                self.complete();
            }
        }
    }

    /// Sends an instruction that must succeed, and prints its compute units.
    #[track_caller]
    pub fn run(
        &mut self,
        what: &str,
        instruction: Instruction,
        signers: &[&Keypair],
    ) -> TransactionMetadata {
        let meta = self.chain.ok(&[instruction], signers);
        eprintln!("units {what}: {}", meta.compute_units_consumed);
        self.events.extend(events(&meta));
        meta
    }

    /// Opens vault `index` of the owner and puts `amount` in, by three deposits.
    pub fn open_vault(&mut self, index: u32, amount: u64) {
        let (owner, who) = (key("owner"), address("owner"));
        self.chain.ok(&[client::open_ix(&who, index)], &[&owner]);
        for _ in 0..3 {
            if amount > 0 {
                self.chain.ok(&[client::deposit_ix(&who, index, amount / 3)], &[&owner]);
            }
        }
        self.vaults.push(client::vault_address(&who, index));
        self.vaults.sort();
    }

    /// Index of the owner's vault at `vault`.
    pub fn index_of(&self, vault: &Pubkey) -> u32 {
        let of = |i: &u32| client::vault_address(&address("owner"), *i) == *vault;
        (0..2_000).find(of).expect("a vault of the owner's")
    }

    fn create_multisig(&mut self) {
        let (create, payer) = (key("create"), key("payer"));
        self.run(
            "create_multisig",
            self.create_multisig_ix(self.multisig_args()),
            &[&create, &payer],
        );
    }

    /// Registers the vault program, which gives its upgrade authority to the manager.
    pub fn register(&mut self) {
        self.run("register_program", self.register_ix(), &[&key("dev"), &key("payer")]);
    }

    /// Uploads, freezes and attests `code` as the upgrade buffer and `live`, a copy of the running
    /// code, as the rollback buffer.
    pub fn stage_buffers(&mut self, code: &[u8], live: &[u8]) {
        self.stage_upgrade("upgrade", code);
        self.stage_rollback("rollback", live);
    }

    /// Uploads, freezes and attests `code` in the buffer called `name`.
    pub fn stage_upgrade(&mut self, name: &str, code: &[u8]) {
        self.upload(name, code);
        self.freeze(name, BufferRole::Upgrade);
        self.attest(name);
    }

    /// The same for a rollback buffer: `live` is a copy of the running code.
    pub fn stage_rollback(&mut self, name: &str, live: &[u8]) {
        self.upload(name, live);
        self.freeze(name, BufferRole::Rollback);
        self.attest_rollback(name);
    }

    /// The running code without its trailing zeros.
    pub fn live_code(&self) -> Vec<u8> {
        backend::elf::trimmed(&loader::live(&self.chain, &demo_vault::ID)).to_vec()
    }

    /// Uploads `bytes` into the buffer called `name`.
    pub fn upload(&mut self, name: &str, bytes: &[u8]) {
        let buffer = self.buffer_key(name);
        loader::upload(&mut self.chain, &buffer, &key("dev"), bytes);
    }

    /// Freezes the buffer called `name`.
    pub fn freeze(&mut self, name: &str, role: BufferRole) {
        let ix = self.freeze_ix(name, role);
        self.run("freeze_buffer", ix, &[&key("dev"), &key("payer")]);
    }

    /// Attests the buffer called `name` as new code.
    pub fn attest(&mut self, name: &str) {
        self.run("attest_buffer", self.attest_ix(name), &[]);
    }

    /// Attests the buffer called `name` as a copy of the running code.
    pub fn attest_rollback(&mut self, name: &str) {
        self.run("attest_rollback", self.attest_rollback_ix(name), &[]);
    }

    /// Proposes the upgrade, with all vaults in its manifest.
    pub fn propose(&mut self) {
        self.before = self.snapshot();
        self.id = self.config().next_proposal;
        let ix = self.propose_ix("anna", self.propose_args());
        self.run("propose_upgrade", ix, &[&key("anna"), &key("payer")]);
    }

    /// Approvals of `members`.
    pub fn approve_by(&mut self, members: &[&str]) {
        for member in members {
            self.run("approve", self.approve_ix(member), &[&key(member)]);
        }
    }

    /// Installs the new code.
    pub fn execute(&mut self) {
        self.run("execute_upgrade", self.execute_ix("dan"), &[&key("dan")]);
    }

    /// Migrates every vault.
    pub fn migrate_all(&mut self) {
        let vaults = self.vaults.clone();
        let ix = self.migrate_ix(&vaults);
        self.run(&format!("migrate_accounts ({})", vaults.len()), ix, &[&key("cranker")]);
    }

    /// Verifies every vault.
    pub fn verify_all(&mut self) {
        let vaults = self.vaults.clone();
        self.run(&format!("verify_accounts ({})", vaults.len()), self.verify_ix(&vaults), &[]);
    }

    /// Declares the migration complete.
    pub fn complete(&mut self) {
        self.run("complete", self.complete_ix("dan"), &[&key("dan")]);
    }

    /// Votes of `members` for rollback.
    pub fn vote_rollback(&mut self, members: &[&str], give_up: bool) {
        for member in members {
            let ix = self.approve_rollback_ix(member, give_up);
            self.run("approve_rollback", ix, &[&key(member)]);
        }
    }

    /// Restores every vault from its old bytes.
    pub fn restore_all(&mut self) {
        let vaults = self.vaults.clone();
        let ix = self.restore_ix("dan", &self.old_bytes(&vaults));
        let what = format!("restore_accounts ({})", vaults.len());
        self.run(&what, ix, &[&key("dan"), &key("payer")]);
    }

    /// Installs the old code.
    pub fn roll_back(&mut self) {
        self.run("rollback_program", self.rollback_ix("dan"), &[&key("dan")]);
    }

    /// The vaults' accounts as they are now.
    pub fn snapshot(&self) -> HashMap<Pubkey, Account> {
        let vault = |v: &Pubkey| (*v, self.chain.account(v).expect("a vault"));
        self.vaults.iter().map(vault).collect()
    }

    /// The manifest's leaves, over the vaults when the upgrade was proposed.
    pub fn leaves(&self) -> Vec<[u8; 32]> {
        let leaf = |(i, v): (usize, &Pubkey)| {
            let i = u32::try_from(i).expect("a few vaults");
            manifest::leaf(i, v, &sha256(&self.before[v].data))
        };
        self.vaults.iter().enumerate().map(leaf).collect()
    }

    /// The manifest over the vaults when the upgrade was proposed.
    pub fn manifest(&self) -> Manifest {
        let leaves = self.leaves();
        let count = u32::try_from(leaves.len()).expect("a few vaults");
        Manifest { root: manifest::root(&leaves), count }
    }

    pub fn multisig(&self) -> Pubkey {
        seeds::multisig(&address("create")).0
    }

    pub fn proposal_address(&self) -> Pubkey {
        seeds::proposal(&demo_vault::ID, &self.multisig(), self.id).0
    }

    /// The key pair of the buffer called `name`. A second proposal needs buffers of other names.
    pub fn buffer_key(&self, name: &str) -> Keypair {
        key(&format!("buffer-{name}"))
    }

    pub fn config(&self) -> MultisigConfig {
        self.chain.read(&self.multisig())
    }

    /// The vault program's state.
    pub fn state(&self) -> ProgramUpgradeState {
        self.chain.read(&seeds::program_state(&demo_vault::ID).0)
    }

    /// The proposal under test.
    pub fn proposal(&self) -> UpgradeProposal {
        self.chain.read(&self.proposal_address())
    }

    /// The attestation of the buffer called `name`.
    pub fn attestation(&self, name: &str) -> BufferAttestation {
        self.chain.read(&seeds::attestation(&self.buffer_key(name).pubkey()).0)
    }

    /// The record of `account`.
    pub fn record(&self, account: &Pubkey) -> AccountVersion {
        self.chain.read(&seeds::account_version(&demo_vault::ID, account).0)
    }
}
