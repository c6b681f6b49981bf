//! The addresses behind the model's numbers. Derived addresses are cached, because deriving them
//! takes longer than the model.
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use demo_vault::client::vault_address;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::seeds;

use super::op::{
    BUFFERS, BufferId, MULTISIGS, MultisigId, OTHER, PEOPLE, Person, Pid, ProgramId, Thing,
    VaultId, ZERO,
};
use crate::keys::{address, key};

/// Key pairs and addresses.
pub struct Keys {
    people: Vec<Keypair>,
    /// Key pairs that make the multisigs.
    pub makers: Vec<Keypair>,
    /// The vaults' owner.
    pub owner: Keypair,
    /// Advances the durable nonce.
    pub nonce: Keypair,
    buffers: Vec<Pubkey>,
    derived: Mutex<HashMap<(u8, Pubkey, u64), Pubkey>>,
}

impl Keys {
    /// Everybody's.
    pub fn new() -> Self {
        Self {
            people: PEOPLE.iter().map(|name| key(name)).collect(),
            makers: (0..MULTISIGS).map(|i| key(&format!("create-{i}"))).collect(),
            owner: key("owner"),
            nonce: key("model-nonce"),
            buffers: (0..BUFFERS).map(|i| address(&format!("model-buffer-{i}"))).collect(),
            derived: Mutex::default(),
        }
    }

    fn derive(&self, kind: u8, of: Pubkey, id: u64, make: impl FnOnce() -> Pubkey) -> Pubkey {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        *derived.entry((kind, of, id)).or_insert_with(make)
    }

    /// The key pair of a person.
    pub fn signer(&self, who: Person) -> &Keypair {
        &self.people[usize::from(who)]
    }

    /// The key pair behind `key`.
    pub fn signer_of(&self, key: &Pubkey) -> Option<&Keypair> {
        let others = self.makers.iter().chain([&self.owner]);
        self.people.iter().chain(others).find(|pair| pair.pubkey() == *key)
    }

    /// The address of a person.
    pub fn person(&self, who: Person) -> Pubkey {
        if who == ZERO { Pubkey::default() } else { self.people[usize::from(who)].pubkey() }
    }

    pub fn multisig(&self, multisig: MultisigId) -> Pubkey {
        let maker = self.makers[usize::from(multisig)].pubkey();
        self.derive(0, maker, 0, || seeds::multisig(&maker).0)
    }

    pub fn program(&self, program: ProgramId) -> Pubkey {
        if program == OTHER { address("other-program") } else { demo_vault::ID }
    }

    /// The program's ProgramData account.
    pub fn program_data(&self, program: ProgramId) -> Pubkey {
        let id = self.program(program);
        self.derive(1, id, 0, || solana_loader_v3_interface::get_program_data_address(&id))
    }

    /// The manager's state of the program.
    pub fn state(&self, program: ProgramId) -> Pubkey {
        let id = self.program(program);
        self.derive(2, id, 0, || seeds::program_state(&id).0)
    }

    /// The manager's address that holds the program's upgrade authority.
    pub fn authority(&self, program: ProgramId) -> Pubkey {
        let id = self.program(program);
        self.derive(3, id, 0, || seeds::authority(&id).0)
    }

    /// The manager's address that signs calls of the program.
    pub fn migrator(&self, program: ProgramId) -> Pubkey {
        let id = self.program(program);
        self.derive(4, id, 0, || seeds::migrator(&id).0)
    }

    pub fn proposal(&self, id: Pid) -> Pubkey {
        match id {
            Pid::Upgrade(program, multisig, id) => {
                let kind = 32 + multisig;
                let (program, decider) = (self.program(program), self.multisig(multisig));
                self.derive(kind, program, id, || seeds::proposal(&program, &decider, id).0)
            }
            Pid::Multisig(multisig, id) => {
                let multisig = self.multisig(multisig);
                self.derive(6, multisig, id, || seeds::governance(&multisig, id).0)
            }
        }
    }

    pub fn buffer(&self, buffer: BufferId) -> Pubkey {
        self.buffers[usize::from(buffer)]
    }

    /// The buffer's attestation.
    pub fn attestation(&self, buffer: BufferId) -> Pubkey {
        let buffer = self.buffer(buffer);
        self.derive(7, buffer, 0, || seeds::attestation(&buffer).0)
    }

    pub fn vault(&self, vault: VaultId) -> Pubkey {
        let owner = self.owner.pubkey();
        self.derive(8, owner, vault.into(), || vault_address(&owner, vault.into()))
    }

    /// The vault's record.
    pub fn record(&self, program: ProgramId, vault: VaultId) -> Pubkey {
        let (id, account) = (self.program(program), self.vault(vault));
        self.derive(9, id, vault.into(), || seeds::account_version(&id, &account).0)
    }

    /// The vault's backup.
    pub fn backup(&self, program: ProgramId, vault: VaultId) -> Pubkey {
        let (id, account) = (self.program(program), self.vault(vault));
        self.derive(10, id, vault.into(), || seeds::backup(&id, &account).0)
    }

    /// The address that signs the manager's events.
    pub fn event_authority(&self) -> Pubkey {
        self.derive(11, Pubkey::default(), 0, seeds::event_authority)
    }

    /// The address of `thing`.
    pub fn thing(&self, thing: Thing) -> Pubkey {
        match thing {
            Thing::Multisig(multisig) => self.multisig(multisig),
            Thing::State(program) => self.state(program),
            Thing::Proposal(id) => self.proposal(id),
            Thing::Buffer(buffer) => self.buffer(buffer),
            Thing::Attestation(buffer) => self.attestation(buffer),
            Thing::Vault(vault) => self.vault(vault),
            Thing::Record(vault) => self.record(super::op::VAULTS, vault),
            Thing::Program(program) => self.program(program),
            Thing::ProgramData(program) => self.program_data(program),
            Thing::Authority(program) => self.authority(program),
            Thing::Person(who) => self.person(who),
            Thing::Sysvar => super::wire::RENT,
        }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}
