//! Writes accounts' old bytes into the archive before a step overwrites them, and reads them back.
use std::sync::Arc;

use solana_pubkey::Pubkey;
use upgrade_manager::state::Terms;

use crate::{
    archive::Archive,
    census::scan,
    error::{BackendError, Result},
    pipeline::{context::Context, plan::ArchivedFirst},
    preflight::{check::Check, manifest::ManifestLeaf},
};

/// Checks that the archive can be written: old bytes must be in it before anything overwrites them.
pub(crate) fn check_archive(context: &Context) -> Check {
    match context.archive().check_writable() {
        Ok(()) => {
            Check::pass(format!("The archive {} can be written.", context.archive().location()))
        }
        Err(error) => Check::fail(error.to_string()),
    }
}

/// Archives what later steps need, before a plan is signed.
pub(crate) async fn archive_first(context: &Context, what: &ArchivedFirst) -> Result<()> {
    match what {
        ArchivedFirst::Nothing => Ok(()),
        ArchivedFirst::Accounts(terms) => archive_all(context, terms).await,
        ArchivedFirst::Manifest { program, leaves } => {
            archive_manifest(context, *program, leaves.clone()).await
        }
    }
}

/// Archives the leaves of a new proposal's manifest: proofs for closed accounts need them later.
async fn archive_manifest(
    context: &Context,
    program: Pubkey,
    leaves: Vec<ManifestLeaf>,
) -> Result<()> {
    let archive = Arc::clone(context.archive());
    blocking(move || archive.put_manifest(&program, &leaves).map(drop)).await
}

/// Archives the present bytes of every account that can migrate. It must come before execution: once the
/// new code runs, anyone can migrate an account before this tool reads it.
async fn archive_all(context: &Context, terms: &Terms) -> Result<()> {
    let (chain, from) = (context.chain(), terms.migrates_from());
    let seen = scan::scan(chain, &terms.program, &terms.type_rules, &from, false).await?;
    archive_accounts(context, terms.program, &seen.eligible).await
}

/// Archives the bytes of `accounts` under their hashes.
pub(crate) async fn archive_accounts(
    context: &Context,
    program: Pubkey,
    accounts: &[scan::EligibleAccount],
) -> Result<()> {
    let archive = Arc::clone(context.archive());
    let accounts: Vec<_> = accounts.iter().map(|e| (e.hash, e.data.clone())).collect();
    blocking(move || accounts.iter().try_for_each(|(hash, data)| archive.put(&program, hash, data)))
        .await
}

/// Runs `work` on a thread where it may block on files.
async fn blocking<T: Send + 'static>(
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
