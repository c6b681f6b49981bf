//! The last of three steps: signs and sends. A plan made again from the chain must equal the plan that
//! was shown; else nothing is signed.
use std::iter::once;

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use crate::{
    chain::{
        client::ChainClient,
        simulate::{Simulated, with_budget},
    },
    error::{BackendError, Result},
    failure::Blame,
    keys::signer::Signer,
    pipeline::{
        archiving::archive_before, context::Context, plan::Plan, reporter::Reporter,
        seal::message_hash, slot_retry::send_with_slot_retry,
    },
    preflight::{intent::Intent, receipt::Receipt},
};

/// Refuses when a value that was shown has changed, or when a check fails now.
pub(crate) fn require_unchanged(intent: &Intent, plan: &Plan) -> Result<()> {
    if let Some(difference) = intent.pinned.difference(&plan.pinned) {
        return Err(BackendError::Changed(difference));
    }
    if let Some(check) = plan.failed() {
        return Err(BackendError::Changed(format!("a check fails now: {}", check.sentence)));
    }
    Ok(())
}

/// Signs, sends and confirms the one transaction of `plan`, which must be the one that was shown.
pub(crate) async fn submit_one(
    context: &Context,
    intent: &Intent,
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
    archive_before(context, intent, plan).await.map_err(BackendError::before_signing)?;
    reporter.sending().await;
    let what = plan.step.name;
    let second =
        context.cosigner_key().filter(|s| is_signed_by(&message, s.pubkey(), key.pubkey()));
    let signers: Vec<&dyn Signer> = once(key).chain(second.map(|s| &**s)).collect();
    let landed =
        send_with_slot_retry(context.chain(), what, &message, &signers, Some(again.units)).await?;
    reporter.sent(&landed.sent).await;
    let failures = landed.failure.map(|f| f.sentence).into_iter().collect::<Vec<_>>();
    let summary = match failures.first() {
        None => plan.step.report(&plan.subject, landed.sent.slot),
        Some(reason) => format!("{} failed on chain: {reason}", plan.title()),
    };
    Ok(Receipt { sent: vec![landed.sent], summary, failures })
}

/// Simulates `message` once more just before it is signed. A failure of the slot alone does not stop it,
/// because the same transaction can succeed in the next slot.
pub(crate) async fn simulate_again(
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
