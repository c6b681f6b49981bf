//! Bringing a program's accounts to the new layout, verifying them, and proving that none was
//! forgotten. Every step starts from a fresh look at the chain, so it can be killed at any moment
//! and started again by anyone. Old bytes are archived before anything overwrites them.
mod batches;
mod closed;
mod forward;
mod pack;
mod plans;
mod survey;
mod verify;

use std::{ops::RangeInclusive, sync::Arc};

use solana_pubkey::Pubkey;
use upgrade_manager::state::TypeRule;

pub(crate) use batches::{Failed, Lane, Outcome};
pub(crate) use pack::pack;
pub(crate) use plans::{check_callable, counters};
pub(crate) use survey::{Survey, born_new, is_gone, records, sha256};

use crate::{
    archive::{Archive, ManifestLeaf},
    backend::{Backend, Reporter},
    error::{BackendError, Result},
    intent::Intent,
    lookup::Scene,
    operation::{Operation, Verb},
    plan::Plan,
    receipt::Receipt,
    signer::Signer,
};

/// Most looks at the chain in one run: accounts that users make meanwhile come with the next look.
const PASSES: u32 = 8;

/// Migrates, verifies, sets aside.
#[derive(Clone)]
pub struct MigrationManager {
    backend: Backend,
}

impl MigrationManager {
    /// Over the gateway, the key and the archive of `backend`.
    #[must_use]
    pub fn new(backend: &Backend) -> Self {
        Self { backend: backend.clone() }
    }

    pub(crate) async fn plan(&self, operation: Operation) -> Result<Plan> {
        let scene = Scene::load(self.backend.gateway(), operation.proposal).await?;
        match operation.verb {
            Verb::Migrate => self.plan_migrate(&scene).await,
            Verb::Quarantine { account } => self.plan_quarantine(&scene, account).await,
            _ => self.plan_verify(&scene).await,
        }
    }

    pub(crate) async fn run(
        &self,
        verb: Verb,
        proposal: Pubkey,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        match verb {
            Verb::Migrate => self.migrate(proposal, key, reporter).await,
            _ => self.verify(proposal, key, reporter).await,
        }
    }

    /// The accounts of `program` that would migrate from `versions`, in the manifest's order.
    pub(crate) async fn survey(
        &self,
        program: &Pubkey,
        rules: &[TypeRule],
        versions: &RangeInclusive<u16>,
    ) -> Result<Survey> {
        let seen = survey::scan(self.backend.gateway(), program, rules, versions, false).await?;
        let leaf = |e: &survey::Eligible| ManifestLeaf { account: e.address, old_hash: e.hash };
        Ok(Survey { leaves: seen.eligible.iter().map(leaf).collect(), misfits: seen.misfits })
    }

    /// Keeps the leaves of a new proposal's manifest: proofs of closed accounts need them later.
    pub(crate) async fn archive_manifest(&self, intent: &Intent) -> Result<()> {
        let Some(frozen) = &intent.request else { return Ok(()) };
        let (program, leaves) = (frozen.request.program, frozen.leaves.clone());
        let archive = Arc::clone(self.backend.archive());
        blocking(move || archive.put_manifest(&program, &leaves).map(drop)).await
    }

    /// Keeps the present bytes of every account that can migrate: once the new code runs, anyone
    /// may migrate an account before this tool sees it.
    pub(crate) async fn archive_all(&self, proposal: Pubkey) -> Result<()> {
        let scene = Scene::load(self.backend.gateway(), proposal).await?;
        let terms = &scene.proposal.terms;
        let rules = &terms.type_rules;
        let gateway = self.backend.gateway();
        let from = terms.migrates_from();
        let seen = survey::scan(gateway, &terms.program, rules, &from, false).await?;
        self.archive(terms.program, &seen.eligible).await
    }

    async fn archive(&self, program: Pubkey, accounts: &[survey::Eligible]) -> Result<()> {
        let archive = Arc::clone(self.backend.archive());
        let accounts: Vec<_> = accounts.iter().map(|e| (e.hash, e.data.clone())).collect();
        blocking(move || {
            accounts.iter().try_for_each(|(hash, data)| archive.put(&program, hash, data))
        })
        .await
    }
}

/// Runs `work`, which touches files, beside the network's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(BackendError::Refused("the work on the archive was cut off.".into())),
    }
}

/// The archived bytes with this hash.
pub(crate) async fn archived(
    archive: &Arc<dyn Archive>,
    program: Pubkey,
    hash: [u8; 32],
) -> Result<Option<Vec<u8>>> {
    let archive = Arc::clone(archive);
    blocking(move || archive.get(&program, &hash)).await
}
