//! The manager's instructions with the world's keys. Account lists come from the backend's
//! builders; a test that needs a wrong list changes the one it gets here.
use backend::instructions::{self as ix, Migrate, ProposalKeys, Restore};
use sandbox::scenario::vaults::type_rule;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{
    fixtures,
    instructions::{ProposeArgs, RestoreItem},
    seeds,
    state::{AccountBackup, BufferRole, Choice, MultisigRules, ProposalKind, Source, manifest},
};

use crate::{
    keys::address,
    world::{
        EXECUTION_WINDOW, MEMBERS, PROPOSAL_LIFETIME, ROLLBACK_WINDOW, Stage, TIMELOCK, World,
    },
};

/// Length of `bytes` without trailing zeros.
pub fn trimmed_len(bytes: &[u8]) -> u32 {
    u32::try_from(backend::elf::trimmed(bytes).len()).expect("an ELF")
}

impl World {
    /// The addresses of the proposal under test.
    pub fn keys(&self) -> ProposalKeys {
        ProposalKeys::new(self.multisig(), demo_vault::ID, self.id)
    }

    fn buffer(&self, name: &str) -> Pubkey {
        self.buffer_key(name).pubkey()
    }

    /// The rules of the world's multisig.
    pub fn multisig_args(&self) -> MultisigRules {
        MultisigRules {
            timelock_floor: TIMELOCK,
            timelock: TIMELOCK,
            execution_window: EXECUTION_WINDOW,
            rollback_window: ROLLBACK_WINDOW,
            treasury: address("treasury"),
            guardian: Some(address("guardian")),
            ..fixtures::rules(MEMBERS.iter().map(|m| address(m)))
        }
    }

    pub fn create_multisig_ix(&self, args: MultisigRules) -> Instruction {
        ix::create_multisig(&address("create"), &address("payer"), args)
    }

    /// A world at [`Stage::Attested`] whose multisig has the rules that `change` makes.
    pub fn with_multisig(change: impl FnOnce(&mut MultisigRules)) -> Self {
        let mut world = Self::at(Stage::Deployed);
        let mut args = world.multisig_args();
        change(&mut args);
        let create = world.create_multisig_ix(args);
        world.chain.ok(&[create], &[&crate::keys::key("create"), &crate::keys::key("payer")]);
        world.register();
        world.stage_buffers(crate::elf::v2(), crate::elf::v1());
        world
    }

    /// A second multisig of the same members. Returns its address.
    pub fn second_multisig(&mut self) -> Pubkey {
        let create = crate::keys::key("second-create");
        let make = ix::create_multisig(&create.pubkey(), &address("payer"), self.multisig_args());
        self.chain.ok(&[make], &[&create, &crate::keys::key("payer")]);
        upgrade_manager::seeds::multisig(&create.pubkey()).0
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
        ix::freeze_buffer(&dev, &payer, &demo_vault::ID, &self.buffer(name), role)
    }

    pub fn attest_ix(&self, name: &str) -> Instruction {
        let buffer = self.buffer(name);
        let len = trimmed_len(&self.chain.data(&buffer)[37..]);
        ix::attest_buffer(&demo_vault::ID, &buffer, len)
    }

    /// `attest_chunk` for the next chunk.
    pub fn attest_chunk_ix(&self, name: &str) -> Instruction {
        let buffer = self.buffer(name);
        let len = trimmed_len(&self.chain.data(&buffer)[37..]);
        ix::attest_chunk(&demo_vault::ID, &buffer, len)
    }

    pub fn attest_rollback_ix(&self, name: &str) -> Instruction {
        let buffer = self.buffer(name);
        let len = trimmed_len(&self.chain.data(&buffer)[37..]);
        ix::attest_rollback(&demo_vault::ID, &buffer, len)
    }

    /// Terms for the vaults' upgrade to the second layout.
    pub fn propose_args(&self) -> ProposeArgs {
        ProposeArgs {
            kind: ProposalKind::Upgrade,
            genesis_hash: [7; 32],
            oldest_version: self.state().version,
            to_version: 2,
            type_rules: vec![type_rule()],
            manifest: if self.before.is_empty() { Default::default() } else { self.manifest() },
            expires_at: self.chain.time() + PROPOSAL_LIFETIME,
            source: Source {
                link: "https://example.org/vaults".into(),
                commit: "0123456789abcdef".into(),
                image: "example.org/build:1".into(),
            },
        }
    }

    /// `propose_upgrade` with the usual buffers.
    pub fn propose_ix(&self, proposer: &str, args: ProposeArgs) -> Instruction {
        self.propose_with_ix(proposer, args, "upgrade", "rollback")
    }

    pub fn propose_with_ix(
        &self,
        proposer: &str,
        args: ProposeArgs,
        upgrade: &str,
        rollback: &str,
    ) -> Instruction {
        let (upgrade, rollback) = (self.buffer(upgrade), self.buffer(rollback));
        let keys = ProposalKeys::new(self.multisig(), demo_vault::ID, self.config().next_proposal);
        let (who, payer) = (address(proposer), address("payer"));
        ix::propose_upgrade(&who, &payer, &keys, &upgrade, &rollback, args)
    }

    /// `approve` or `reject` for `digest`.
    pub fn vote_ix(&self, member: &str, choice: Choice, digest: [u8; 32]) -> Instruction {
        match choice {
            Choice::Approve => ix::approve(&address(member), &self.keys(), digest),
            Choice::Reject => ix::reject(&address(member), &self.keys(), digest),
        }
    }

    pub fn approve_ix(&self, member: &str) -> Instruction {
        self.vote_ix(member, Choice::Approve, self.proposal().digest)
    }

    pub fn reject_ix(&self, member: &str) -> Instruction {
        self.vote_ix(member, Choice::Reject, self.proposal().digest)
    }

    pub fn revoke_ix(&self, member: &str) -> Instruction {
        ix::revoke(&address(member), &self.keys())
    }

    pub fn cancel_ix(&self, member: &str) -> Instruction {
        ix::cancel(&address(member), &self.keys())
    }

    pub fn expire_ix(&self) -> Instruction {
        ix::expire(&self.keys())
    }

    pub fn execute_ix(&self, executor: &str) -> Instruction {
        let replaced = self.state().unfinished();
        ix::execute_upgrade(&address(executor), &self.proposal().terms, replaced)
    }

    /// `migrate_accounts`, paid by the cranker.
    pub fn migrate_ix(&self, accounts: &[Pubkey]) -> Instruction {
        ix::migrate_accounts(&address("cranker"), &self.proposal().terms, &self.targets(accounts))
    }

    /// `accounts` as `migrate_accounts` takes them: accounts of a critical type with their backup.
    pub fn targets(&self, accounts: &[Pubkey]) -> Vec<Migrate> {
        let terms = self.proposal().terms;
        let of = |account: &Pubkey| {
            let data = self.chain.account(account).map(|a| a.data).unwrap_or_default();
            Migrate::of(*account, &data, &terms)
        };
        accounts.iter().map(of).collect()
    }

    pub fn verify_ix(&self, accounts: &[Pubkey]) -> Instruction {
        ix::verify_accounts(&self.keys(), accounts)
    }

    /// `mark_closed` with the account's proof in the manifest, paid by the cranker.
    pub fn mark_closed_ix(&self, account: &Pubkey) -> Instruction {
        let at = self.vaults.iter().position(|v| v == account).expect("a vault of the manifest");
        let index = u32::try_from(at).expect("a few vaults");
        let proof = manifest::proof(&self.leaves(), index).expect("a leaf");
        let hash = crate::world::sha256(&self.before[account].data);
        ix::mark_closed(&address("cranker"), &self.keys(), account, index, hash, proof)
    }

    pub fn quarantine_ix(&self, executor: &str, account: &Pubkey) -> Instruction {
        ix::quarantine(&address(executor), &address("payer"), &self.keys(), account)
    }

    pub fn complete_ix(&self, executor: &str) -> Instruction {
        ix::complete(&address(executor), &self.keys())
    }

    pub fn approve_rollback_ix(&self, member: &str, give_up: bool) -> Instruction {
        ix::approve_rollback(&address(member), &self.keys(), self.proposal().digest, give_up)
    }

    /// The vaults' bytes when the upgrade was proposed, as `restore_accounts` takes them.
    pub fn old_bytes(&self, accounts: &[Pubkey]) -> Vec<(Pubkey, RestoreItem)> {
        let bytes = |v: &Pubkey| (*v, RestoreItem::Bytes(self.before[v].data.clone()));
        accounts.iter().map(bytes).collect()
    }

    /// `restore_accounts`; the rent of the growth goes back to the key that paid it.
    pub fn restore_ix(&self, executor: &str, items: &[(Pubkey, RestoreItem)]) -> Instruction {
        let restore = |(account, item): &(Pubkey, RestoreItem)| Restore {
            account: *account,
            rent_refund: self.record(account).rent_payer,
            item: item.clone(),
        };
        let items: Vec<_> = items.iter().map(restore).collect();
        let (who, payer) = (address(executor), address("payer"));
        ix::restore_accounts(&who, &payer, &self.proposal().terms, &items)
    }

    pub fn rollback_ix(&self, executor: &str) -> Instruction {
        ix::rollback_program(&address(executor), &self.proposal().terms)
    }

    pub fn close_buffer_ix(&self, closer: &str, name: &str) -> Instruction {
        ix::close_buffer(&address(closer), &self.attestation(name))
    }

    /// Closes the attestations of these buffers after their proposal has ended.
    pub fn close_buffers(&mut self, names: &[&str]) {
        for name in names {
            let close = self.close_buffer_ix("stranger", name);
            self.run("close_buffer", close, &[&crate::keys::key("stranger")]);
        }
    }

    /// The backup of `account`.
    pub fn backup(&self, account: &Pubkey) -> AccountBackup {
        self.chain.read(&seeds::backup(&demo_vault::ID, account).0)
    }

    pub fn close_backup_ix(&self, closer: &str, account: &Pubkey) -> Instruction {
        ix::close_backup(&address(closer), &self.backup(account))
    }

    pub fn reclaim_ix(&self, executor: &str, name: &str) -> Instruction {
        let multisig = (&self.multisig(), &address("treasury"));
        ix::reclaim_buffer(&address(executor), multisig, &demo_vault::ID, &self.buffer(name))
    }

    pub fn close_proposal_ix(&self, closer: &str) -> Instruction {
        ix::close_proposal(&address(closer), &self.proposal())
    }

    pub fn close_record_ix(&self, closer: &str, account: &Pubkey) -> Instruction {
        ix::close_account_version(&address(closer), &self.record(account))
    }
}
