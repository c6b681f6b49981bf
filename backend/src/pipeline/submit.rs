//! The last step of plan, seal, submit: signs and sends. A plan made again from the chain must equal the
//! plan that was shown; else nothing is signed.
use std::iter::once;

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;

use crate::{
    chain::{
        client::ChainClient,
        simulate::{Simulated, with_budget},
    },
    error::{BackendError, Result},
    failure::Blame,
    keys::signer::Signer,
    pipeline::{
        archiving::archive_first,
        context::Context,
        plan::{Plan, Workload},
        reporter::Reporter,
        seal::message_hash,
        slot_retry::send_with_slot_retry,
        task::Task,
    },
    preflight::{intent::Intent, progress::Progress, receipt::Receipt},
};

/// Plans the task of `intent` again from the chain, refuses when anything that was shown has changed, signs,
/// sends and confirms. Of a job's plan only the pinned values and the checks are compared, because the job
/// plans its transactions again while it runs; of a single transaction the message is compared as well.
pub(crate) async fn submit<T: Task>(
    context: &Context,
    intent: Intent<T>,
    progress: Option<mpsc::Sender<Progress>>,
) -> Result<Receipt> {
    let key = context.require_key()?;
    if key.pubkey() != intent.signer {
        return Err(BackendError::Changed(format!(
            "the key was {} and is {} now",
            intent.signer,
            key.pubkey()
        )));
    }
    require_same_price(context, intent.unit_price)?;
    let plan = plan_again(context, &intent.task).await.map_err(BackendError::before_signing)?;
    require_unchanged(&intent, &plan)?;
    let reporter = Reporter::new(progress);
    match plan.workload {
        Workload::One => submit_one(context, &intent, &plan, &*key, &reporter).await,
        Workload::Job | Workload::Series => {
            // A job may have signed something before it fails, so its errors must not say otherwise.
            let done = intent.task.run(context, &plan, &*key, &reporter).await;
            done.map_err(BackendError::within_job)
        }
    }
}

/// The plan of `task`, made again. The node must still serve the cluster that it served at first: behind one
/// address a load balancer can have nodes of two clusters.
async fn plan_again(context: &Context, task: &impl Task) -> Result<Plan> {
    context.chain().recheck_genesis().await?;
    task.plan(context).await
}

/// Refuses when the priority fee is no longer the one shown, as after a reconnection with other settings.
fn require_same_price(context: &Context, shown: u64) -> Result<()> {
    let now = context.chain().config().unit_price;
    if shown == now {
        return Ok(());
    }
    Err(BackendError::Changed(format!(
        "the priority fee was {shown} and is {now} micro-lamports per compute unit now"
    )))
}

/// Refuses when a value that was shown has changed, or when a check fails now.
fn require_unchanged<T>(intent: &Intent<T>, plan: &Plan) -> Result<()> {
    if let Some(difference) = intent.pinned.difference(&plan.pinned) {
        return Err(BackendError::Changed(difference));
    }
    if let Some(check) = plan.failed() {
        return Err(BackendError::Changed(format!("a check fails now: {}", check.sentence)));
    }
    Ok(())
}

/// Signs, sends and confirms the one transaction of `plan`, which must be the one that was shown. What a
/// rollback or a later proof needs is archived before the signature: once the new code runs, anyone can
/// migrate an account, and its old bytes may be gone from the chain.
async fn submit_one<T>(
    context: &Context,
    intent: &Intent<T>,
    plan: &Plan,
    key: &dyn Signer,
    reporter: &Reporter,
) -> Result<Receipt> {
    let price = context.chain().config().unit_price;
    let message = with_budget(&plan.instructions, intent.unit_limit, price);
    if message_hash(&message, &intent.signer) != intent.message_hash {
        return Err(BackendError::Changed("the transaction is not the one shown".into()));
    }
    let again = simulate_again(context.chain(), &message, &intent.signer).await?;
    archive_first(context, &plan.archived_first).await.map_err(BackendError::before_signing)?;
    reporter.sending().await;
    let what = plan.step.name;
    let others = plan.signers.iter().chain(context.cosigner_key());
    let others = others.filter(|s| is_signed_by(&message, s.pubkey(), key.pubkey()));
    let signers: Vec<&dyn Signer> = once(key).chain(others.map(|s| &**s)).collect();
    let landed =
        send_with_slot_retry(context.chain(), what, &message, &signers, Some(again.units)).await?;
    reporter.sent(&landed.sent).await;
    let failures = landed.failure.map(|f| f.sentence).into_iter().collect::<Vec<_>>();
    let summary = match failures.first() {
        None => plan.step.report(&plan.subject, landed.sent.slot),
        Some(reason) => format!("{} failed on chain: {reason}", plan.title()),
    };
    Ok(Receipt { sent: vec![landed.sent], summary, failures, subject: plan.account })
}

/// Simulates `message` once more just before it is signed. A failure with [`Blame::Slot`] does not stop it:
/// the loader lets a program be called only from the slot after its last change, so the same transaction can
/// succeed in the next slot.
async fn simulate_again(
    chain: &ChainClient,
    message: &[Instruction],
    payer: &Pubkey,
) -> Result<Simulated> {
    let again = chain.simulate(message, payer).await.map_err(BackendError::before_signing)?;
    match again.failure.as_ref().filter(|f| f.blame != Blame::Slot) {
        Some(failure) => Err(BackendError::Changed(format!("the simulation fails now: {failure}"))),
        None => Ok(again),
    }
}

/// Whether `message` needs the signature of `second` beside that of `first`.
fn is_signed_by(message: &[Instruction], second: Pubkey, first: Pubkey) -> bool {
    let metas = message.iter().flat_map(|ix| &ix.accounts);
    second != first && metas.into_iter().any(|m| m.is_signer && m.pubkey == second)
}
