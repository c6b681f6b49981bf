//! `index`: the mirror without screens – once, compared with the chain, or until it is stopped.
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use indexer::{Conn, backfill_once, verify};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{failed, print, print_json};
use crate::{
    cli::Index,
    session::Session,
    text::{clean, grouped},
};

pub(super) async fn run(session: &Session, args: &Index) -> Result<u8> {
    if args.verify {
        return compare(session, args.output.json).await;
    }
    if args.once {
        let done = backfill(session).await?;
        if args.output.json {
            print_json(
                &json!({"slot": done.slot, "accounts": done.accounts, "written": done.written}),
            )?;
        } else {
            print(&format!(
                "Mirrored {} accounts as of slot {}; {} rows changed.",
                done.accounts,
                grouped(done.slot),
                done.written
            ))?;
        }
        return Ok(0);
    }
    forever(session, args.output.json).await
}

async fn backfill(session: &Session) -> Result<indexer::Backfill> {
    backfill_once(session.source(), Arc::clone(&session.store)).await.map_err(|e| session.clean(&e))
}

async fn compare(session: &Session, json: bool) -> Result<u8> {
    backfill(session).await?;
    let report = verify(&session.source(), &*session.store).await.map_err(|e| session.clean(&e))?;
    let error = match report.differences.len() {
        0 => None,
        n => Some(format!(
            "The mirror differs from the chain in {n} fields. Move the store away and run `control-room index --once`."
        )),
    };
    let mut value = None;
    if json {
        value = Some(json!({
            "error": error,
            "slot": report.slot,
            "compared": report.compared,
            "equal": report.equal,
            "differences": report.differences.iter().map(|d| json!({
                "account": d.pubkey.to_string(),
                "field": d.field,
                "mirror": d.mirror,
                "chain": d.chain,
            })).collect::<Vec<_>>(),
        }));
    } else {
        for d in &report.differences {
            print(&format!("{} {}: mirror {}, chain {}", d.pubkey, d.field, d.mirror, d.chain))?;
        }
        print(&format!(
            "Compared every field of {} accounts with the chain at slot {}: {} equal.",
            report.compared,
            grouped(report.slot),
            report.equal
        ))?;
    }
    match error {
        Some(error) => failed(error, value.as_ref()),
        None => {
            value.as_ref().map_or(Ok(()), print_json)?;
            Ok(0)
        }
    }
}

/// Mirrors until Ctrl-C or SIGTERM; says on stderr how it goes.
async fn forever(session: &Session, json: bool) -> Result<u8> {
    let indexer = indexer::spawn(session.source(), Arc::clone(&session.store));
    let mut health = indexer.health.clone();
    let mut term = signal(SignalKind::terminate()).context("Signals cannot be received.")?;
    let mut last = String::new();
    let gave_up = loop {
        let now = health.borrow_and_update().clone();
        let text = match &now.conn {
            Conn::Connecting => "Connecting".to_owned(),
            Conn::Live => "Live".to_owned(),
            Conn::Following { writer } => {
                format!("Following {}", session.secrets.scrub(&clean(writer)))
            }
            Conn::Reconnecting { attempt, .. } => format!(
                "Reconnecting (attempt {attempt}): {}",
                session.secrets.scrub(now.error.as_deref().unwrap_or(crate::strings::LOST))
            ),
            Conn::Stopped { reason } => break Some(session.secrets.scrub(reason)),
        };
        if text != last {
            if json {
                print(&json!({"slot": now.slot, "state": text}).to_string())?;
            } else {
                eprintln!("slot {}: {text}", grouped(now.slot));
            }
            last = text;
        }
        tokio::select! {
            changed = health.changed() => if changed.is_err() {
                break Some("The mirror has ended.".to_owned());
            },
            _ = tokio::signal::ctrl_c() => break None,
            _ = term.recv() => break None,
        }
    };
    indexer.shutdown().await;
    match gave_up {
        None => Ok(0),
        Some(reason) => bail!("{reason}"),
    }
}
