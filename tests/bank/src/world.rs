//! A multisig of five with a program to upgrade, and the steps from its first vault to an upgrade
//! that can be executed.
use std::collections::HashMap;

use backend::instructions::program_data_address;
use demo_vault::client;
use sha2::{Digest, Sha256};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds,
    state::{
        AccountVersion, BufferRole, Manifest, MultisigConfig, ProgramUpgradeState, UpgradeProposal,
        manifest,
    },
};

use crate::{
    bank::{Bank, Genesis},
    elf,
    keys::{address, key},
    verbs::buffer,
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
/// Vaults of the owner.
pub const VAULTS: u32 = 3;

/// The multisig, its program and everything around it.
pub struct World {
    pub bank: Bank,
    /// The vaults, in ascending order of address.
    pub vaults: Vec<Pubkey>,
    /// The vaults' bytes when the upgrade was proposed.
    pub before: HashMap<Pubkey, Vec<u8>>,
    /// Id of the proposal under test.
    pub id: u64,
}

impl World {
    /// The vault program with its first layout and vaults; the developer holds its upgrade
    /// authority.
    fn deployed() -> Self {
        let mut genesis = Genesis::default();
        for name in MEMBERS.iter().chain(&["dev", "payer", "cranker", "owner", "stranger"]) {
            genesis.fund(&address(name), 1_000 * SOL);
        }
        genesis.fund(&address("treasury"), SOL);
        let (manager, dev) = (elf::manager(), address("dev"));
        genesis.deploy(&upgrade_manager::ID, &dev, manager, manager.len());
        let room = elf::v1().len().max(elf::v2().len());
        genesis.deploy(&demo_vault::ID, &dev, elf::v1(), room);
        let bank = genesis.start();
        let mut world = Self { bank, vaults: vec![], before: HashMap::new(), id: 0 };
        let (owner, who) = (key("owner"), address("owner"));
        for i in 0..VAULTS {
            let open = [client::open_ix(&who, i), client::deposit_ix(&who, i, SOL)];
            world.bank.ok(&open, &[&owner]);
            world.vaults.push(client::vault_address(&who, i));
        }
        world.vaults.sort();
        world
    }

    /// The program is registered, and both buffers are frozen and attested.
    pub fn attested() -> Self {
        let mut w = Self::deployed();
        let (dev, payer) = (key("dev"), key("payer"));
        w.run("create_multisig", w.create_multisig_ix(), &[&key("create"), &payer]);
        w.run("register_program", w.register_ix(), &[&dev, &payer]);
        let roles = [
            ("upgrade", BufferRole::Upgrade, elf::v2()),
            ("rollback", BufferRole::Rollback, elf::v1()),
        ];
        for (name, role, elf) in roles {
            w.bank.place_buffer(&buffer(name), &address("dev"), elf);
            w.run("freeze_buffer", w.freeze_ix(name, role), &[&dev, &payer]);
        }
        w.run("attest_buffer", w.attest_ix("upgrade"), &[]);
        w.run("attest_rollback", w.attest_rollback_ix("rollback"), &[]);
        w
    }

    /// The upgrade's timelock is over.
    pub fn ready() -> Self {
        let mut w = Self::attested();
        w.before = w.vaults.iter().map(|v| (*v, w.bank.data(v))).collect();
        w.id = w.bank.read::<MultisigConfig>(&w.multisig()).next_proposal;
        w.run("propose_upgrade", w.propose_ix(), &[&key("anna"), &key("payer")]);
        for member in APPROVERS {
            w.run("approve", w.approve_ix(member), &[&key(member)]);
        }
        w.bank.pass(i64::from(TIMELOCK));
        w
    }

    /// The upgrade was executed in the previous slot.
    pub fn executed() -> Self {
        let mut w = Self::ready();
        w.execute();
        w.bank.next_slot();
        w
    }

    /// Sends an instruction that must succeed. Prints and returns its compute units.
    #[track_caller]
    pub fn run(&mut self, what: &str, instruction: Instruction, signers: &[&Keypair]) -> u64 {
        let units = self.bank.ok(&[instruction], signers);
        println!("units {what}: {units}");
        units
    }

    /// Installs the new code. Returns the compute units.
    #[track_caller]
    pub fn execute(&mut self) -> u64 {
        self.run("execute_upgrade", self.execute_ix(), &[&key("dan")])
    }

    /// Votes for rollback.
    #[track_caller]
    pub fn vote_rollback(&mut self) {
        for member in APPROVERS {
            self.run("approve_rollback", self.approve_rollback_ix(member), &[&key(member)]);
        }
    }

    /// Installs the old code. Returns the compute units.
    #[track_caller]
    pub fn roll_back(&mut self) -> u64 {
        self.run("rollback_program", self.rollback_ix(), &[&key("dan")])
    }

    /// The running code with its trailing zeros.
    pub fn live_code(&self) -> Vec<u8> {
        self.bank.data(&program_data_address(&demo_vault::ID))[45..].to_vec()
    }

    /// The manifest over the vaults when the upgrade was proposed.
    pub fn manifest(&self) -> Manifest {
        let leaf =
            |(i, v): (u32, &Pubkey)| manifest::leaf(i, v, &Sha256::digest(&self.before[v]).into());
        let leaves: Vec<_> = (0..).zip(&self.vaults).map(leaf).collect();
        Manifest { root: manifest::root(&leaves), count: VAULTS }
    }

    pub fn multisig(&self) -> Pubkey {
        seeds::multisig(&address("create")).0
    }

    /// The vault program's state.
    pub fn state(&self) -> ProgramUpgradeState {
        self.bank.read(&seeds::program_state(&demo_vault::ID).0)
    }

    /// The proposal under test.
    pub fn proposal(&self) -> UpgradeProposal {
        self.bank.read(&self.keys().proposal)
    }

    /// The record of `account`.
    pub fn record(&self, account: &Pubkey) -> AccountVersion {
        self.bank.read(&seeds::account_version(&demo_vault::ID, account).0)
    }
}
