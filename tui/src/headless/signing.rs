//! Commands on proposals end here: prints the preflight, signs only with `--yes`, then prints and records each
//! transaction that was sent.
use std::collections::HashSet;

use anyhow::Result;
use backend::{Backend, Check, Fact, Preflight, Progress, Receipt, Simulation, Step, Verdict};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;

use super::{NOT_CONFIRMED_EXIT_CODE, failed, print, print_json, warn};
use crate::{
    session::Session,
    strings as s,
    text::{clean, grouped},
};

/// Printed when `--yes` is missing.
pub(super) const UNCONFIRMED: &str = "Nothing was signed. Add --yes to sign and send this.";

/// Prints the preflight and, with `yes`, signs it.
pub(super) async fn confirm(
    session: &Session,
    backend: &Backend,
    mut preflight: Preflight,
    yes: bool,
    json: bool,
) -> Result<u8> {
    let intent = preflight.intent.take();
    if !json {
        let p = &preflight;
        print_preflight(&p.title, Some(&p.step), &p.facts, &p.checks, p.simulation.as_ref())?;
    }
    let verb = preflight.step.label();
    let described = |error: &str| json.then(|| preflight_json(&preflight, None, Some(error)));
    if yes && session.settings.read_only {
        return failed(s::READ_ONLY.to_owned(), described(s::READ_ONLY).as_ref());
    }
    let Some(intent) = intent else {
        let reason = preflight.failures().next().map(|c| c.sentence.clone());
        let reason = unsignable(session.settings.read_only, &verb, reason.as_deref());
        return failed(reason.clone(), described(&reason).as_ref());
    };
    if !yes {
        if let Some(value) = described(UNCONFIRMED) {
            print_json(&value)?;
        }
        eprintln!("{UNCONFIRMED}");
        return Ok(NOT_CONFIRMED_EXIT_CODE);
    }
    let proposal = preflight.proposal;
    let (sender, receiver) = mpsc::channel(256);
    let listener = tokio::spawn(record_progress(session.clone(), proposal, receiver, json));
    let result = backend.submit(intent, Some(sender)).await;
    let recorded = listener.await.unwrap_or_default();
    let receipt = result.map_err(|e| session.clean(&e))?;
    for tx in receipt.sent.iter().filter(|tx| !recorded.contains(&tx.signature)) {
        record_sent(session, proposal, tx).await;
        if !json {
            print(&sent_line(tx))?;
        }
    }
    report(&preflight, &receipt, json)
}

/// Why there is no intent. In read-only mode the check "no key" fails too, but a key would not help.
fn unsignable(read_only: bool, verb: &str, failure: Option<&str>) -> String {
    match read_only {
        true => s::READ_ONLY.to_owned(),
        false => format!("{verb} cannot be signed. {}", failure.unwrap_or(s::NO_KEY)),
    }
}

fn report(preflight: &Preflight, receipt: &Receipt, json: bool) -> Result<u8> {
    let error = receipt
        .failures
        .first()
        .map(|first| format!("{} of the steps failed; the first: {first}", receipt.failures.len()));
    if !json {
        print(&clean(&receipt.summary))?;
        for failure in &receipt.failures {
            print(&format!("failed: {}", clean(failure)))?;
        }
    }
    let value = json.then(|| preflight_json(preflight, Some(receipt), error.as_deref()));
    match error {
        Some(error) => failed(error, value.as_ref()),
        None => {
            value.as_ref().map_or(Ok(()), print_json)?;
            Ok(0)
        }
    }
}

/// Records a sent transaction in the store. A store that fails only causes a warning: the transaction is on
/// chain all the same.
pub(super) async fn record_sent(
    session: &Session,
    proposal: impl Into<Option<Pubkey>>,
    tx: &backend::SentTx,
) {
    if let Err(e) = session.record(proposal, tx).await {
        warn(session, &format!("{e:#}"));
    }
}

/// Records and prints each transaction as it is sent. Returns the signatures that it recorded.
async fn record_progress(
    session: Session,
    proposal: Pubkey,
    mut receiver: mpsc::Receiver<Progress>,
    json: bool,
) -> HashSet<String> {
    let mut recorded = HashSet::new();
    while let Some(progress) = receiver.recv().await {
        match progress {
            Progress::Sent(tx) => {
                record_sent(&session, proposal, &tx).await;
                if !json {
                    let _ = print(&sent_line(&tx));
                }
                recorded.insert(tx.signature);
            }
            Progress::Step { label, done, total, failed } if !json => {
                let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
                eprintln!("{} {done}/{total}{failed}", clean(&label));
            }
            Progress::Step { .. } | Progress::Sending => {}
        }
    }
    recorded
}

pub(super) fn sent_line(tx: &backend::SentTx) -> String {
    let units = tx.units.map(|u| format!(", {} units", grouped(u))).unwrap_or_default();
    let how = match &tx.error {
        None => String::new(),
        Some(e) => format!(", FAILED: {}", clean(e)),
    };
    format!(
        "sent {} {} slot {}{units}, {} bytes, {} ms{how}",
        clean(&tx.verb),
        tx.signature,
        tx.slot,
        tx.bytes,
        tx.elapsed.as_millis()
    )
}

pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        Verdict::Fail => "FAIL",
    }
}

/// Prints what would be signed: title, consequence, facts, checks, simulation.
pub(super) fn print_preflight(
    title: &str,
    step: Option<&Step>,
    facts: &[Fact],
    checks: &[Check],
    simulation: Option<&Simulation>,
) -> Result<()> {
    print(&clean(title))?;
    if let Some(step) = step.filter(|s| !s.consequence.is_empty()) {
        print(&clean(&step.consequence))?;
    }
    for fact in facts {
        print(&format!("  {:<28} {}", clean(&fact.label), clean(&fact.value)))?;
    }
    for check in checks {
        print(&format!("  {:<4}  {}", verdict_word(check.verdict), clean(&check.sentence)))?;
    }
    if let Some(sim) = simulation {
        let text = match &sim.error {
            None => format!("succeeds with {} compute units", grouped(sim.units)),
            Some(error) => format!("fails: {}", clean(error)),
        };
        print(&format!("  simulation {text}"))?;
    }
    Ok(())
}

/// The preflight as JSON, with the receipt or the error.
pub(super) fn preflight_json(
    p: &Preflight,
    receipt: Option<&Receipt>,
    error: Option<&str>,
) -> Value {
    json!({
        "verb": p.verb.name(),
        "proposal": p.proposal.to_string(),
        "step": p.step.name,
        "is_vote": p.step.is_vote,
        "consequence": p.step.consequence,
        "title": p.title,
        "facts": p.facts.iter().map(|f| json!({"label": f.label, "value": f.value})).collect::<Vec<_>>(),
        "checks": p.checks.iter()
            .map(|c| json!({"verdict": verdict_word(c.verdict).to_lowercase(), "sentence": c.sentence}))
            .collect::<Vec<_>>(),
        "simulation": p.simulation.as_ref()
            .map(|s| json!({"units": s.units, "error": s.error, "logs": s.logs})),
        "transactions": p.transactions,
        "signed": receipt.is_some(),
        "receipt": receipt,
        "error": error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_mode_does_not_tell_the_operator_to_load_a_key() {
        assert_eq!(unsignable(true, "Approve", Some(s::NO_KEY)), s::READ_ONLY);
        let failed = unsignable(false, "Approve", Some("The vote is cast already."));
        assert_eq!(failed, "Approve cannot be signed. The vote is cast already.");
    }
}
