//! The manager's instructions as the world's people would send them. Account lists come from the
//! backend's builders; a test that wants a wrong one changes what it gets here.
use backend::instructions::{self as ix, Migrate, ProposalKeys, Restore};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use upgrade_manager::{
    instructions::{ProposeArgs, RestoreItem},
    seeds,
    state::{
        AccountBackup, BufferRole, Choice, MemberArgs, MultisigRules, ProposalKind, Source,
        manifest, role,
    },
};

use crate::{
    keys::address,
    world::{
        EXECUTION_WINDOW, MEMBERS, PROPOSAL_LIFETIME, ROLLBACK_WINDOW, Stage, TIMELOCK, World,
        type_rule,
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

    /// What the five agree on.
    pub fn multisig_args(&self) -> MultisigRules {
        let mut members: Vec<_> =
            MEMBERS.iter().map(|m| MemberArgs { key: address(m), roles: role::ALL }).collect();
        members.sort_by_key(|m| m.key);
        MultisigRules {
            threshold: 3,
            open_cap: 2,
            allow_durable_nonce: false,
            timelock_floor: TIMELOCK,
            timelock: TIMELOCK,
            execution_window: EXECUTION_WINDOW,
            rollback_window: ROLLBACK_WINDOW,
            treasury: address("treasury"),
            guardian: Some(address("guardian")),
            squads: None,
            members,
        }
    }

    /// `create_multisig`.
    pub fn create_multisig_ix(&self, args: MultisigRules) -> Instruction {
        ix::create_multisig(&address("create"), &address("payer"), args)
    }

    /// A world with attested buffers whose multisig agreed on something else.
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

    /// `attest_buffer`.
    pub fn attest_ix(&self, name: &str) -> Instruction {
        let buffer = self.buffer(name);
        let len = trimmed_len(&self.chain.data(&buffer)[37..]);
        ix::attest_buffer(&demo_vault::ID, &buffer, len)
    }

    /// `attest_chunk`: the next one, whichever it is.
    pub fn attest_chunk_ix(&self, name: &str) -> Instruction {
        let buffer = self.buffer(name);
        let len = trimmed_len(&self.chain.data(&buffer)[37..]);
        ix::attest_chunk(&demo_vault::ID, &buffer, len)
    }

    /// `attest_rollback`.
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

    /// `propose_upgrade`.
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

    /// `approve`.
    pub fn approve_ix(&self, member: &str) -> Instruction {
        self.vote_ix(member, Choice::Approve, self.proposal().digest)
    }

    /// `reject`.
    pub fn reject_ix(&self, member: &str) -> Instruction {
        self.vote_ix(member, Choice::Reject, self.proposal().digest)
    }

    /// `revoke`.
    pub fn revoke_ix(&self, member: &str) -> Instruction {
        ix::revoke(&address(member), &self.keys())
    }

    /// `cancel`.
    pub fn cancel_ix(&self, member: &str) -> Instruction {
        ix::cancel(&address(member), &self.keys())
    }

    /// `expire`.
    pub fn expire_ix(&self) -> Instruction {
        ix::expire(&self.keys())
    }

    /// `execute_upgrade`.
    pub fn execute_ix(&self, executor: &str) -> Instruction {
        let replaced = self.state().unfinished();
        ix::execute_upgrade(&address(executor), &self.proposal().terms, replaced)
    }

    /// `migrate_accounts`, paid by the cranker.
    pub fn migrate_ix(&self, accounts: &[Pubkey]) -> Instruction {
        ix::migrate_accounts(&address("cranker"), &self.proposal().terms, &self.targets(accounts))
    }

    /// The accounts as `migrate_accounts` takes them: critical ones with their backup.
    pub fn targets(&self, accounts: &[Pubkey]) -> Vec<Migrate> {
        let terms = self.proposal().terms;
        let of = |account: &Pubkey| {
            let data = self.chain.account(account).map(|a| a.data).unwrap_or_default();
            Migrate::of(*account, &data, &terms)
        };
        accounts.iter().map(of).collect()
    }

    /// `verify_accounts`.
    pub fn verify_ix(&self, accounts: &[Pubkey]) -> Instruction {
        ix::verify_accounts(&self.keys(), accounts)
    }

    /// `mark_closed` with the proof that the manifest has, paid by the cranker.
    pub fn mark_closed_ix(&self, account: &Pubkey) -> Instruction {
        let at = self.vaults.iter().position(|v| v == account).expect("a vault of the manifest");
        let index = u32::try_from(at).expect("a few vaults");
        let proof = manifest::proof(&self.leaves(), index).expect("a leaf");
        let hash = crate::world::sha256(&self.before[account].data);
        ix::mark_closed(&address("cranker"), &self.keys(), account, index, hash, proof)
    }

    /// `quarantine`.
    pub fn quarantine_ix(&self, executor: &str, account: &Pubkey) -> Instruction {
        ix::quarantine(&address(executor), &address("payer"), &self.keys(), account)
    }

    /// `complete`.
    pub fn complete_ix(&self, executor: &str) -> Instruction {
        ix::complete(&address(executor), &self.keys())
    }

    /// `approve_rollback`.
    pub fn approve_rollback_ix(&self, member: &str, give_up: bool) -> Instruction {
        ix::approve_rollback(&address(member), &self.keys(), self.proposal().digest, give_up)
    }

    /// What the vaults held at planning, to be restored.
    pub fn old_bytes(&self, accounts: &[Pubkey]) -> Vec<(Pubkey, RestoreItem)> {
        let bytes = |v: &Pubkey| (*v, RestoreItem::Bytes(self.before[v].data.clone()));
        accounts.iter().map(bytes).collect()
    }

    /// `restore_accounts`; whoever paid for growth gets it back.
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

    /// `rollback_program`.
    pub fn rollback_ix(&self, executor: &str) -> Instruction {
        ix::rollback_program(&address(executor), &self.proposal().terms)
    }

    /// `close_buffer`.
    pub fn close_buffer_ix(&self, closer: &str, name: &str) -> Instruction {
        ix::close_buffer(&address(closer), &self.attestation(name))
    }

    /// Closes what is left of these buffers, after their proposal.
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

    /// `close_backup`.
    pub fn close_backup_ix(&self, closer: &str, account: &Pubkey) -> Instruction {
        ix::close_backup(&address(closer), &self.backup(account))
    }

    /// `reclaim_buffer`.
    pub fn reclaim_ix(&self, executor: &str, name: &str) -> Instruction {
        let multisig = (&self.multisig(), &address("treasury"));
        ix::reclaim_buffer(&address(executor), multisig, &demo_vault::ID, &self.buffer(name))
    }

    /// `close_proposal`.
    pub fn close_proposal_ix(&self, closer: &str) -> Instruction {
        ix::close_proposal(&address(closer), &self.proposal())
    }

    /// `close_account_version`.
    pub fn close_record_ix(&self, closer: &str, account: &Pubkey) -> Instruction {
        ix::close_account_version(&address(closer), &self.record(account))
    }
}
