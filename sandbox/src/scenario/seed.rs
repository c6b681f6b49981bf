//! The steps that fill a fresh chain, in the order of an operator's runbook. Steps that do not
//! depend on each other run concurrently, because every confirmation waits for a slot.
use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use backend::{
    Archive, Backend, BuiltElf, ChainClient, FileArchive, Operation, Preflight, ProgramBuilder,
    ProposeRequest, Receipt, SentTx, SetupManager, SetupPreflight, Verb,
};
use futures_util::future::{try_join, try_join_all, try_join3};
use solana_pubkey::Pubkey;
use upgrade_manager::state::{BufferRole, MemberArgs, MultisigRules, ProposalKind, Source, role};

use crate::{
    chain::{
        fast_upload,
        local_rpc::{self, SOL},
    },
    scenario::{
        elf_paths::kib,
        fill_vaults::fill_vaults,
        keys::{Keys, new_key, program_key, remove},
        setup::Setup,
        step::step,
        vaults,
    },
};

const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;
/// Time from proposal to expiry.
const PROPOSAL_LIFETIME: Duration = Duration::from_secs(60 * 24 * 3600);
/// Version of the demo vault before and after the upgrade.
const VERSIONS: [u16; 2] = [demo_vault::v1::VERSION, demo_vault::v2::VERSION];

/// The accounts of the scenario, and the manager's transactions that made them.
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

/// Fills the chain that `client` talks to.
///
/// # Errors
/// The first step that fails, in a sentence.
pub async fn seed(
    client: &ChainClient,
    keys: &Keys,
    archive: &Path,
    setup: &Setup,
) -> Result<Option<Seeded>> {
    let archive: Arc<dyn Archive> = Arc::new(FileArchive::at(archive));
    let deployer =
        Backend::new(client.clone(), archive.clone(), Some(keys.deployer.signer.clone()));
    let seeder = Seeder { client, keys, setup, deployer, archive };
    if setup.bare {
        seeder.deploy_only().await?;
        return Ok(None);
    }
    seeder.run().await.map(Some)
}

struct Seeder<'a> {
    client: &'a ChainClient,
    keys: &'a Keys,
    setup: &'a Setup,
    deployer: Backend,
    archive: Arc<dyn Archive>,
}

/// The frozen and attested buffers, and the transactions that made them so.
struct Buffers {
    upgrade: Pubkey,
    rollback: Pubkey,
    sent: Vec<SentTx>,
}

impl Seeder<'_> {
    async fn run(&self) -> Result<Seeded> {
        let (setup, program) = (self.setup, demo_vault::ID);
        let elfs = &setup.elfs;
        step("funding the keys", self.fund()).await?;
        let code_len = self.max_code_len().await?;
        let manager = step(
            format!("deploying the upgrade manager ({})", kib(&elfs.manager)),
            self.deploy("upgrade-manager", &upgrade_manager::ID, &elfs.manager, 0),
        );
        let vault = step(
            format!("deploying the demo vault, first layout ({})", kib(&elfs.vault_v1)),
            self.deploy("demo-vault", &program, &elfs.vault_v1, code_len),
        );
        let upgrade = step(
            format!("uploading the demo vault, second layout ({})", kib(&elfs.vault_v2)),
            self.upload_file("upgrade", &elfs.vault_v2),
        );
        let then_rollback = async {
            vault.await?;
            let rollback =
                step("uploading a copy of what runs, to go back to", self.upload_live(&program));
            let users = step(format!("filling {} vaults", setup.vaults), self.fill_vaults());
            Ok(try_join(rollback, users).await?.0)
        };
        let ((), upgrade, rollback) = try_join3(manager, upgrade, then_rollback).await?;
        let (multisig, mut sent) =
            step("creating the multisig and registering the program", self.register(&program))
                .await?;
        let buffers =
            step("freezing and attesting both buffers", self.freeze(upgrade, rollback)).await?;
        sent.extend(buffers.sent.iter().cloned());
        let (proposal, votes) =
            step("proposing, with one approval", self.propose(&program, &buffers)).await?;
        sent.extend(votes);
        Ok(Seeded { program, multisig, proposal, sent })
    }

    /// A bare chain: a program with users that is not registered yet, and the deployed manager.
    async fn deploy_only(&self) -> Result<()> {
        let elfs = &self.setup.elfs;
        step("funding the keys", self.fund()).await?;
        let manager = step(
            format!("deploying the upgrade manager ({})", kib(&elfs.manager)),
            self.deploy("upgrade-manager", &upgrade_manager::ID, &elfs.manager, 0),
        );
        let vault = step(
            format!("deploying the demo vault, first layout ({})", kib(&elfs.vault_v1)),
            self.deploy("demo-vault", &demo_vault::ID, &elfs.vault_v1, 0),
        );
        try_join(manager, vault).await?;
        step(format!("filling {} vaults", self.setup.vaults), self.fill_vaults()).await
    }

    /// Airdrops: the rent of the code to the deployer, fees and the rent of grown accounts to the members.
    async fn fund(&self) -> Result<()> {
        let members = self.keys.members.iter().map(|m| (m.signer.pubkey(), 100 * SOL));
        let mut shares: Vec<_> = members.collect();
        shares.push((self.keys.deployer.signer.pubkey(), 1_000 * SOL));
        shares.push((self.keys.treasury, SOL));
        let drops =
            shares.iter().map(|(to, lamports)| local_rpc::airdrop(self.client, to, *lamports));
        try_join_all(drops).await?;
        Ok(())
    }

    /// The length of the longer of the demo vault's two ELFs. Its ProgramData must hold either.
    async fn max_code_len(&self) -> Result<usize> {
        let len =
            |path: &Path| -> Result<usize> { Ok(self.builder().check_file(path)?.bytes.len()) };
        Ok(len(&self.setup.elfs.vault_v1)?.max(len(&self.setup.elfs.vault_v2)?))
    }

    fn builder(&self) -> ProgramBuilder {
        ProgramBuilder::new(&self.deployer.context())
    }

    fn set_up(&self) -> SetupManager {
        SetupManager::new(&self.deployer.context())
    }

    async fn upload(&self, name: &str, elf: &BuiltElf) -> Result<Pubkey> {
        let file = self.setup.data_dir.join("keys").join(format!("buffer-{name}.json"));
        remove(&file)?;
        let payer = &*self.keys.deployer.signer;
        fast_upload::upload(self.client, payer, &file, &elf.bytes).await?;
        Ok(self.builder().upload(elf, &file, None).await?.buffer)
    }

    async fn upload_file(&self, name: &str, elf: &Path) -> Result<Pubkey> {
        self.upload(name, &self.builder().check_file(elf)?).await
    }

    async fn upload_live(&self, program: &Pubkey) -> Result<Pubkey> {
        let live = self.builder().live_elf(program).await?;
        self.upload("rollback", &live).await
    }

    /// The loader deploys and checks the code as on any cluster. Only the buffer is set in one
    /// request of the local chain, because writing megabytes takes seconds and tests nothing.
    async fn deploy(&self, name: &str, id: &Pubkey, elf: &Path, min_len: usize) -> Result<()> {
        let key = program_key(name, id)?;
        let code = self.builder().check_file(elf)?.bytes;
        let buffer = new_key().pubkey();
        let owner = self.keys.deployer.signer.pubkey();
        local_rpc::set_buffer(self.client, &buffer, &owner, &code).await?;
        self.builder().deploy(&*key, &buffer, code.len().max(min_len)).await?;
        Ok(())
    }

    async fn fill_vaults(&self) -> Result<()> {
        fill_vaults(self.client, vaults::plan(self.setup.vaults)).await
    }

    async fn register(&self, program: &Pubkey) -> Result<(Pubkey, Vec<SentTx>)> {
        let members = self.keys.members.iter();
        let args = MultisigRules {
            threshold: 3,
            open_cap: 4,
            allow_durable_nonce: false,
            timelock_floor: 48 * HOUR,
            timelock: 48 * HOUR,
            execution_window: 7 * DAY,
            rollback_window: 7 * DAY,
            treasury: self.keys.treasury,
            guardian: None,
            squads: None,
            members: members
                .map(|m| MemberArgs { key: m.signer.pubkey(), roles: role::ALL })
                .collect(),
        };
        let set_up = self.set_up();
        let made = submit_set_up(&set_up, set_up.multisig(args).await?).await?;
        let multisig = made.subject.context("The multisig has no address.")?;
        let [version, _] = VERSIONS;
        let shown = set_up.register(program, &multisig, version).await?;
        let taken = submit_set_up(&set_up, shown).await?;
        Ok((multisig, made.sent.into_iter().chain(taken.sent).collect()))
    }

    async fn freeze(&self, upgrade: Pubkey, rollback: Pubkey) -> Result<Buffers> {
        let set_up = &self.set_up();
        let one = async |buffer: Pubkey, role| {
            let shown = set_up.freeze(&buffer, &demo_vault::ID, role).await?;
            anyhow::Ok(submit_set_up(set_up, shown).await?.sent)
        };
        let both = try_join(one(upgrade, BufferRole::Upgrade), one(rollback, BufferRole::Rollback));
        let (new, old) = both.await?;
        Ok(Buffers { upgrade, rollback, sent: new.into_iter().chain(old).collect() })
    }

    async fn propose(&self, program: &Pubkey, buffers: &Buffers) -> Result<(Pubkey, Vec<SentTx>)> {
        let proposer = self.keys.members.first().context("The multisig has no members.")?;
        let backend =
            Backend::new(self.client.clone(), self.archive.clone(), Some(proposer.signer.clone()));
        let [_, to_version] = VERSIONS;
        let request = ProposeRequest {
            program: *program,
            buffer: buffers.upgrade,
            rollback_buffer: buffers.rollback,
            to_version,
            type_rules: vec![vaults::type_rule()],
            kind: ProposalKind::Upgrade,
            oldest_version: None,
            expires_in: PROPOSAL_LIFETIME,
            source: Source {
                link: "the demo-vault program of this repository".into(),
                commit: "built from the working copy".into(),
                image: "none: built on this machine".into(),
            },
        };
        let shown = backend.prepare_propose(request).await?;
        let proposal = shown.proposal;
        let mut sent = submit(&backend, shown).await?;
        let vote = Operation { verb: Verb::Approve, proposal };
        sent.extend(submit(&backend, backend.prepare(vote).await?).await?);
        Ok((proposal, sent))
    }
}

async fn submit(backend: &Backend, shown: Preflight) -> Result<Vec<SentTx>> {
    let verb = shown.verb.name();
    let failed: Vec<String> = shown.failures().map(|c| c.sentence.clone()).collect();
    let Some(intent) = shown.intent else {
        bail!("The preflight of {verb} finds: {}", failed.join(" "));
    };
    let receipt = backend.submit(intent, None).await?;
    if let Some(failure) = receipt.failures.first() {
        bail!("{verb} failed: {failure}");
    }
    Ok(receipt.sent)
}

async fn submit_set_up(set_up: &SetupManager, shown: SetupPreflight) -> Result<Receipt> {
    let verb = shown.verb;
    let receipt = set_up.submit(shown, None).await?;
    if let Some(failure) = receipt.failures.first() {
        bail!("{verb} failed: {failure}");
    }
    Ok(receipt)
}
