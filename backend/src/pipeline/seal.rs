//! The second of three steps: simulates a plan, adds its fee and size, and makes the intent. Signs
//! nothing.
use sha2::{Digest, Sha256};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_pubkey::Pubkey;

use crate::{
    chain::{
        fees::Fee,
        simulate::{MAX_UNITS, Simulated, transaction_size, with_budget},
    },
    error::{BackendError, Result},
    failure::Blame,
    pipeline::{
        context::Context,
        plan::{Plan, Workload},
    },
    preflight::{Preflight, Simulation, check::Check, fact::Fact, intent::Intent},
};

/// Simulates `plan` and makes the preflight that the operator sees. It holds an intent only when no check
/// failed, and no other function makes one.
pub(crate) async fn seal(context: &Context, mut plan: Plan) -> Result<Preflight> {
    let title = plan.title();
    let mut simulation = None;
    let mut sealed = None;
    let price = context.chain().config().unit_price;
    if let Some(payer) = context.signer()
        && !plan.instructions.is_empty()
    {
        let simulated =
            simulate_message(context, &payer, &plan.instructions, plan.unit_limit, plan.workload)
                .await?;
        plan.checks.extend(simulated.checks);
        plan.facts.extend(match plan.workload {
            Workload::One => simulated.fee.facts(),
            // Each transaction of a job is simulated by itself and gets its unit limit from that.
            Workload::Job => Fee { limit: MAX_UNITS, ..simulated.fee }.job_facts(plan.transactions),
        });
        plan.facts.extend(simulated.facts);
        simulation = Some(simulated.simulation);
        sealed = Some((payer, message_hash(&simulated.message, &payer), simulated.fee.limit));
    } else if context.signer().is_some() && plan.workload == Workload::Job {
        // A job may have no transaction to show now and still have work left, such as the last proof.
        let most = Fee { signatures: 1, limit: MAX_UNITS, price };
        plan.facts.extend(most.job_facts(plan.transactions));
        sealed = context.signer().map(|payer| (payer, plan.pinned.hash(), MAX_UNITS));
    }
    let intent = match sealed {
        Some((signer, message_hash, unit_limit)) if plan.failed().is_none() => Some(Intent {
            verb: plan.verb,
            proposal: plan.proposal,
            signer,
            pinned: plan.pinned,
            message_hash,
            unit_limit,
            unit_price: price,
            request: plan.request,
        }),
        _ => None,
    };
    Ok(Preflight {
        verb: plan.verb,
        proposal: plan.proposal,
        title,
        step: plan.step,
        facts: plan.facts,
        checks: plan.checks,
        simulation,
        transactions: plan.transactions,
        intent,
    })
}

/// What the node says of the transaction that will be signed, and what it costs.
pub(crate) struct SimulatedMessage {
    pub checks: Vec<Check>,
    pub fee: Fee,
    /// Units, size and hash of `message`.
    pub facts: Vec<Fact>,
    pub simulation: Simulation,
    /// The instructions behind their final compute budget.
    pub message: Vec<Instruction>,
}

/// Simulates `instructions` with the largest budget, then sets the unit limit: `unit_limit`, or what
/// the simulation used and a little more.
pub(crate) async fn simulate_message(
    context: &Context,
    payer: &Pubkey,
    instructions: &[Instruction],
    unit_limit: Option<u32>,
    workload: Workload,
) -> Result<SimulatedMessage> {
    let price = context.chain().config().unit_price;
    let full = with_budget(instructions, MAX_UNITS, price);
    let simulated = context.chain().simulate(&full, payer).await?;
    let limit = unit_limit.unwrap_or_else(|| simulated.unit_limit());
    let fee = Fee::of(instructions, payer, limit, price);
    let checks =
        vec![check_simulation(&simulated, workload), check_balance(context, payer, fee).await?];
    let message = with_budget(instructions, limit, price);
    let fact = |label: &str, value: String| Fact { label: label.into(), value };
    let facts = vec![
        fact("Compute units", format!("{} simulated, limit {limit}", simulated.units)),
        fact("Transaction size", format!("{} bytes", transaction_size(&message, payer))),
        fact("Message sha256, blockhash zero", hex::encode(message_hash(&message, payer))),
    ];
    let simulation = Simulation {
        units: simulated.units,
        error: simulated.failure.map(|f| f.sentence),
        logs: simulated.logs,
    };
    Ok(SimulatedMessage { checks, fee, facts, simulation, message })
}

/// Checks that the signer can pay `fee`.
async fn check_balance(context: &Context, payer: &Pubkey, fee: Fee) -> Result<Check> {
    let lamports = context.chain().account(payer).await?.map_or(0, |a| a.lamports);
    let fee = fee.lamports();
    Ok(Check::when(
        lamports >= fee,
        format!("The signer holds {lamports} lamports; the fee of a transaction is {fee}."),
        format!("The signer holds {lamports} lamports, the fee is {fee}: fund {payer} first."),
    ))
}

/// Refuses when the priority fee is no longer the one shown, as after a reconnection with other settings.
pub(crate) fn check_price(context: &Context, shown: u64) -> Result<()> {
    let now = context.chain().config().unit_price;
    if shown == now {
        return Ok(());
    }
    Err(BackendError::Changed(format!(
        "the priority fee was {shown} and is {now} micro-lamports per compute unit now"
    )))
}

fn check_simulation(simulated: &Simulated, workload: Workload) -> Check {
    let Some(failure) = &simulated.failure else {
        return Check::pass("The node's simulation succeeds.");
    };
    match (failure.blame, workload) {
        (Blame::Slot, _) => {
            Check::warn(format!("The node's simulation fails in this slot: {failure}"))
        }
        (Blame::Account, Workload::Job) => Check::warn(format!(
            "The first batch would fail: {failure} Batches that fail are split until the account \
             stands alone and is named; the others go on."
        )),
        _ => Check::fail(format!("The node's simulation fails: {failure}")),
    }
}

/// sha256 of the message over `instructions` with its blockhash left zero.
pub(crate) fn message_hash(instructions: &[Instruction], payer: &Pubkey) -> [u8; 32] {
    let message = Message::new_with_blockhash(instructions, Some(payer), &Hash::default());
    Sha256::digest(message.serialize()).into()
}
