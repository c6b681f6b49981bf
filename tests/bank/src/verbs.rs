//! The manager's instructions with the world's keys. Account lists come from the backend's
//! builders.
use backend::{
    elf::trimmed,
    instructions::{self as ix, Migrate, ProposalKeys, Restore},
};
use demo_vault::client;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{
    fixtures,
    instructions::{ProposeArgs, RestoreItem},
    state::{BufferRole, LenRange, MultisigRules, ProposalKind, Source, TypeRule},
};

use crate::{
    keys::{address, key},
    world::{EXECUTION_WINDOW, MEMBERS, PROPOSAL_LIFETIME, ROLLBACK_WINDOW, TIMELOCK, World},
};

/// Length of `bytes` without trailing zeros.
fn trimmed_len(bytes: &[u8]) -> u32 {
    u32::try_from(trimmed(bytes).len()).expect("an ELF")
}

/// The vaults' type rule, as a proposal says it.
fn type_rule() -> TypeRule {
    let rule = client::type_rule();
    let range = |(min, max)| LenRange { min, max };
    TypeRule {
        discriminator: rule.discriminator,
        version_offset: rule.version_offset,
        version_width: rule.version_width,
        old_len: range(rule.old_len),
        new_len: range(rule.new_len),
        flags: 0,
    }
}

/// Address of the buffer called `name`.
pub fn buffer(name: &str) -> Pubkey {
    key(&format!("buffer-{name}")).pubkey()
}

impl World {
    /// The addresses of the proposal under test.
    pub fn keys(&self) -> ProposalKeys {
        ProposalKeys::new(self.multisig(), demo_vault::ID, self.id)
    }

    /// `create_multisig`: three of five, 48 hours.
    pub fn create_multisig_ix(&self) -> Instruction {
        let rules = MultisigRules {
            timelock_floor: TIMELOCK,
            timelock: TIMELOCK,
            execution_window: EXECUTION_WINDOW,
            rollback_window: ROLLBACK_WINDOW,
            treasury: address("treasury"),
            ..fixtures::rules(MEMBERS.iter().map(|m| address(m)))
        };
        ix::create_multisig(&address("create"), &address("payer"), rules)
    }

    /// `register_program` by the developer.
    pub fn register_ix(&self) -> Instruction {
        let len = trimmed_len(&self.live_code());
        let (dev, payer) = (address("dev"), address("payer"));
        ix::register_program(&dev, &payer, &self.multisig(), &demo_vault::ID, 1, len)
    }

    /// `freeze_buffer` by the developer.
    pub fn freeze_ix(&self, name: &str, role: BufferRole) -> Instruction {
        let (dev, payer) = (address("dev"), address("payer"));
        ix::freeze_buffer(&dev, &payer, &demo_vault::ID, &buffer(name), role)
    }

    fn buffer_len(&self, name: &str) -> u32 {
        trimmed_len(&self.bank.data(&buffer(name))[37..])
    }

    pub fn attest_ix(&self, name: &str) -> Instruction {
        ix::attest_buffer(&demo_vault::ID, &buffer(name), self.buffer_len(name))
    }

    pub fn attest_rollback_ix(&self, name: &str) -> Instruction {
        ix::attest_rollback(&demo_vault::ID, &buffer(name), self.buffer_len(name))
    }

    /// `propose_upgrade` to the second layout, by anna.
    pub fn propose_ix(&self) -> Instruction {
        let args = ProposeArgs {
            kind: ProposalKind::Upgrade,
            genesis_hash: [7; 32],
            oldest_version: 1,
            to_version: 2,
            type_rules: vec![type_rule()],
            manifest: self.manifest(),
            expires_at: self.bank.time() + PROPOSAL_LIFETIME,
            source: Source {
                link: "https://example.org/vaults".into(),
                commit: "0123456789abcdef".into(),
                image: "example.org/build:1".into(),
            },
        };
        let (upgrade, rollback) = (buffer("upgrade"), buffer("rollback"));
        let (who, payer) = (address("anna"), address("payer"));
        ix::propose_upgrade(&who, &payer, &self.keys(), &upgrade, &rollback, args)
    }

    pub fn approve_ix(&self, member: &str) -> Instruction {
        ix::approve(&address(member), &self.keys(), self.proposal().digest)
    }

    /// `execute_upgrade` by dan.
    pub fn execute_ix(&self) -> Instruction {
        ix::execute_upgrade(&address("dan"), &self.proposal().terms, None)
    }

    /// `migrate_accounts` of every vault, paid by the cranker.
    pub fn migrate_ix(&self) -> Instruction {
        let vaults: Vec<_> = self.vaults.iter().copied().map(Migrate::plain).collect();
        ix::migrate_accounts(&address("cranker"), &self.proposal().terms, &vaults)
    }

    pub fn approve_rollback_ix(&self, member: &str) -> Instruction {
        ix::approve_rollback(&address(member), &self.keys(), self.proposal().digest, false)
    }

    /// `restore_accounts` by dan, with every vault's bytes when the upgrade was proposed.
    pub fn restore_ix(&self) -> Instruction {
        let restore = |vault: &Pubkey| Restore {
            account: *vault,
            rent_refund: self.record(vault).rent_payer,
            item: RestoreItem::Bytes(self.before[vault].clone()),
        };
        let items: Vec<_> = self.vaults.iter().map(restore).collect();
        let (who, payer) = (address("dan"), address("payer"));
        ix::restore_accounts(&who, &payer, &self.proposal().terms, &items)
    }

    /// `rollback_program` by dan.
    pub fn rollback_ix(&self) -> Instruction {
        ix::rollback_program(&address("dan"), &self.proposal().terms)
    }
}
