//! The one way from a set-up preflight to a signature: it is printed, and signed with `--yes`.
use std::collections::HashSet;

use anyhow::Result;
use backend::{Progress, SentTx, SetupManager, SetupPreflight};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;

use crate::{
    cli::setup::Go,
    headless::{
        NOT_CONFIRMED, failed, print, print_json,
        signing::{self, UNCONFIRMED},
    },
    session::Session,
    strings as s,
    text::{clean, grouped},
};

/// The one kind of transaction that is counted instead of listed: a buffer takes hundreds.
const WRITE: &str = "write buffer";

/// Prints the preflight and, with `--yes`, signs it. `name` is what the subject is called in JSON.
pub(super) async fn run(
    session: &Session,
    desk: &SetupManager,
    shown: SetupPreflight,
    go: Go,
    name: &str,
) -> Result<u8> {
    let json = go.output.json;
    if !json {
        let simulation = shown.simulation.as_ref();
        let (title, step) = (&shown.title, shown.step.as_ref());
        signing::describe(title, step, &shown.facts, &shown.checks, simulation)?;
    }
    let plain = described(&shown, name);
    let told = |error: &str| json.then(|| with_error(plain.clone(), error));
    if go.yes && session.settings.read_only {
        return failed(s::READ_ONLY.to_owned(), told(s::READ_ONLY).as_ref());
    }
    if let Some(check) = shown.failed() {
        let reason = format!("Nothing can be signed. {}", check.sentence);
        return failed(reason.clone(), told(&reason).as_ref());
    }
    if !go.yes {
        if let Some(value) = told(UNCONFIRMED) {
            print_json(&value)?;
        }
        eprintln!("{UNCONFIRMED}");
        return Ok(NOT_CONFIRMED);
    }
    let proposal = (name == "proposal").then_some(shown.subject).flatten();
    let (news, heard) = mpsc::channel(256);
    let listener = tokio::spawn(follow(session.clone(), proposal, heard, json));
    let result = desk.submit(shown, Some(news)).await;
    let written = listener.await.unwrap_or_default();
    let receipt = result.map_err(|e| session.clean(&e))?;
    let (writes, listed): (Vec<_>, Vec<_>) =
        receipt.sent.iter().partition(|tx| tx.verb == WRITE && tx.error.is_none());
    for tx in listed.iter().filter(|tx| !written.contains(&tx.signature)) {
        signing::write_down(session, proposal, tx).await;
        if !json {
            print(&signing::sent(tx))?;
        }
    }
    let error = receipt.failures.first().cloned();
    if !json {
        print(&clean(&receipt.summary))?;
        for failure in &receipt.failures {
            print(&format!("failed: {}", clean(failure)))?;
        }
    }
    let value = json.then(|| done(plain, name, &listed, writes.len(), &receipt));
    match error {
        Some(error) => failed(error, value.as_ref()),
        None => {
            value.as_ref().map_or(Ok(()), print_json)?;
            Ok(0)
        }
    }
}

/// Writes down and prints each transaction but writes as it is sent, and each twentieth of a long
/// step; returns the signatures.
async fn follow(
    session: Session,
    proposal: Option<Pubkey>,
    mut heard: mpsc::Receiver<Progress>,
    json: bool,
) -> HashSet<String> {
    let (mut written, mut last) = (HashSet::new(), (String::new(), u64::MAX));
    while let Some(progress) = heard.recv().await {
        match progress {
            Progress::Sent(tx) if tx.verb != WRITE => {
                signing::write_down(&session, proposal, &tx).await;
                if !json {
                    let _ = print(&signing::sent(&tx));
                }
                written.insert(tx.signature);
            }
            Progress::Step { label, done, total, .. } if !json => {
                let part = done.saturating_mul(20).checked_div(total).unwrap_or(20);
                let now = (label, part);
                if now != last {
                    eprintln!("{} {}/{}", clean(&now.0), grouped(done), grouped(total));
                    last = now;
                }
            }
            Progress::Sent(_) | Progress::Step { .. } | Progress::Sending => {}
        }
    }
    written
}

fn described(shown: &SetupPreflight, name: &str) -> Value {
    json!({
        "verb": shown.verb,
        "step": shown.step.as_ref().map_or(shown.verb, |s| s.name),
        "is_vote": shown.step.as_ref().is_some_and(|s| s.is_vote),
        "consequence": shown.step.as_ref().map(|s| &s.consequence),
        name: shown.subject.map(|k| k.to_string()),
        "title": shown.title,
        "facts": shown.facts.iter()
            .map(|f| json!({"label": f.label, "value": f.value}))
            .collect::<Vec<_>>(),
        "checks": shown.checks.iter()
            .map(|c| json!({
                "verdict": signing::word(c.verdict).to_lowercase(),
                "sentence": c.sentence,
            }))
            .collect::<Vec<_>>(),
        "simulation": shown.simulation.as_ref()
            .map(|s| json!({"units": s.units, "error": s.error, "logs": s.logs})),
        "transactions": shown.transactions,
        "signed": false,
        "receipt": null,
        "error": null,
    })
}

fn set(value: &mut Value, key: &str, to: Value) {
    if let Some(map) = value.as_object_mut() {
        map.insert(key.to_owned(), to);
    }
}

fn with_error(mut value: Value, error: &str) -> Value {
    set(&mut value, "error", json!(error));
    value
}

fn done(
    mut value: Value,
    name: &str,
    listed: &[&SentTx],
    writes: usize,
    receipt: &backend::Receipt,
) -> Value {
    set(&mut value, name, json!(receipt.subject.map(|k| k.to_string())));
    set(&mut value, "signed", json!(true));
    let sent = json!({
        "sent": listed,
        "writes": writes,
        "summary": receipt.summary,
        "failures": receipt.failures,
    });
    set(&mut value, "receipt", sent);
    set(&mut value, "error", json!(receipt.failures.first()));
    value
}
