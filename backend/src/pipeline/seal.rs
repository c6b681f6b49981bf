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
    error::Result,
    failure::Blame,
    pipeline::{
        context::Context,
        plan::{Plan, Workload},
    },
    preflight::{
        Simulation,
        check::{Check, Verdict},
        fact::Fact,
        intent::Intent,
        step::Step,
    },
};

/// What an operator sees of a plan before it is signed, and what can be signed.
pub(crate) struct Sealed<T> {
    pub title: String,
    pub step: Step,
    pub account: Option<Pubkey>,
    pub facts: Vec<Fact>,
    pub checks: Vec<Check>,
    pub simulation: Option<Simulation>,
    pub transactions: usize,
    /// `None` when a check failed or nothing is left to do.
    pub intent: Option<Intent<T>>,
}

/// Simulates `plan`, which was made for `task`. There is an intent only when no check failed, and no other
/// function makes one.
pub(crate) async fn seal<T>(context: &Context, mut plan: Plan, task: T) -> Result<Sealed<T>> {
    let title = plan.title();
    let mut simulation = None;
    let mut signable = None;
    let price = context.chain().config().unit_price;
    if let Some(payer) = context.signer()
        && !plan.instructions.is_empty()
    {
        let simulated = simulate_message(context, &payer, &plan).await?;
        plan.checks.extend(simulated.checks);
        plan.facts.extend(match plan.workload {
            Workload::One => simulated.fee.facts(),
            // Each transaction of a job is simulated by itself and gets its unit limit from that.
            Workload::Job | Workload::Series => {
                Fee { limit: MAX_UNITS, ..simulated.fee }.job_facts(plan.transactions)
            }
        });
        plan.facts.extend(simulated.facts);
        simulation = Some(simulated.simulation);
        signable = Some((payer, simulated.message_hash, simulated.fee.limit));
    } else if let Some(payer) = context.signer()
        && plan.workload != Workload::One
    {
        // A job may have no transaction to show now and still have work left, such as the last proof.
        let most = Fee { signatures: 1, limit: MAX_UNITS, price };
        plan.facts.extend(plan.fees.unwrap_or_else(|| most.job_facts(plan.transactions)));
        signable = Some((payer, plan.pinned.hash(), MAX_UNITS));
    }
    let failed = plan.checks.iter().any(|c| c.verdict == Verdict::Fail);
    let intent = signable.filter(|_| !failed).map(|(signer, message_hash, unit_limit)| Intent {
        task,
        signer,
        pinned: plan.pinned,
        message_hash,
        unit_limit,
        unit_price: price,
    });
    Ok(Sealed {
        title,
        step: plan.step,
        account: plan.account,
        facts: plan.facts,
        checks: plan.checks,
        simulation,
        transactions: plan.transactions,
        intent,
    })
}

/// What the node says of the transaction that will be signed, and what it costs.
struct SimulatedMessage {
    checks: Vec<Check>,
    fee: Fee,
    /// Units, size and hash of the message.
    facts: Vec<Fact>,
    simulation: Simulation,
    message_hash: [u8; 32],
}

/// Simulates the plan's instructions with the largest budget, then sets the unit limit: the plan's, or what
/// the simulation used and a little more.
async fn simulate_message(
    context: &Context,
    payer: &Pubkey,
    plan: &Plan,
) -> Result<SimulatedMessage> {
    let instructions = &plan.instructions;
    let price = context.chain().config().unit_price;
    let full = with_budget(instructions, MAX_UNITS, price);
    let simulated = context.chain().simulate(&full, payer).await?;
    let limit = plan.unit_limit.unwrap_or_else(|| simulated.unit_limit());
    let fee = Fee::of(instructions, payer, limit, price);
    let checks = vec![
        check_simulation(&simulated, plan.workload),
        check_balance(context, payer, fee).await?,
    ];
    let message = with_budget(instructions, limit, price);
    let message_hash = message_hash(&message, payer);
    let fact = |label: &str, value: String| Fact { label: label.into(), value };
    let facts = vec![
        fact("Compute units", format!("{} simulated, limit {limit}", simulated.units)),
        fact("Transaction size", format!("{} bytes", transaction_size(&message, payer))),
        fact("Message sha256, blockhash zero", hex::encode(message_hash)),
    ];
    let simulation = Simulation {
        units: simulated.units,
        error: simulated.failure.map(|f| f.sentence),
        logs: simulated.logs,
    };
    Ok(SimulatedMessage { checks, fee, facts, simulation, message_hash })
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
