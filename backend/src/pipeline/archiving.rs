//! Writes accounts' old bytes into the archive before a step overwrites them, and reads them back.
use std::sync::Arc;

use solana_pubkey::Pubkey;

use crate::{
    accounts::proposal::ProposalContext,
    archive::Archive,
    census::scan,
    error::{BackendError, Result},
    pipeline::{context::Context, plan::Plan},
    preflight::{check::Check, intent::Intent, operation::Verb},
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

/// Archives the bytes or the manifest that later steps of `plan` need, before it is signed.
pub(crate) async fn archive_before(context: &Context, intent: &Intent, plan: &Plan) -> Result<()> {
    match intent.verb {
        Verb::Execute if plan.archives => archive_all(context, intent.proposal).await,
        Verb::Propose => archive_manifest(context, intent).await,
        _ => Ok(()),
    }
}

/// Archives the leaves of a new proposal's manifest: proofs for closed accounts need them later.
async fn archive_manifest(context: &Context, intent: &Intent) -> Result<()> {
    let Some(frozen) = &intent.request else { return Ok(()) };
    let (program, leaves) = (frozen.request.program, frozen.leaves.clone());
    let archive = Arc::clone(context.archive());
    blocking(move || archive.put_manifest(&program, &leaves).map(drop)).await
}

/// Archives the present bytes of every account that can migrate. It must come before execution: once the
/// new code runs, anyone can migrate an account before this tool reads it.
async fn archive_all(context: &Context, proposal: Pubkey) -> Result<()> {
    let found = ProposalContext::load(context.chain(), proposal).await?;
    let terms = &found.proposal.terms;
    let rules = &terms.type_rules;
    let chain = context.chain();
    let from = terms.migrates_from();
    let seen = scan::scan(chain, &terms.program, rules, &from, false).await?;
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
