//! `index`: runs the mirror without screens. With `--once` or `--verify` it fills the mirror, compares it with the
//! chain and ends; else it runs until it is stopped.
use std::{sync::Arc, time::Instant};

use anyhow::{Context, Result, bail};
use indexer::{
    Conn, Health, Store, VerifyReport, backfill_once, digest,
    ops::http,
    replay::{Recorder, Recording},
    verify,
};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{cluster, print, print_json};
use crate::{
    cli::mirror::Index,
    session::Session,
    text::{clean, grouped},
};

/// Exit code when the mirror differs from the chain.
const DIFFERS_EXIT_CODE: u8 = 1;

pub(super) async fn run(session: &Session, args: &Index) -> Result<u8> {
    if args.once || args.verify {
        run_once(session, args).await
    } else {
        run_until_stopped(session, args).await
    }
}

/// Fills the mirror once, compares every field with the chain, and prints the result.
async fn run_once(session: &Session, args: &Index) -> Result<u8> {
    let done = backfill_once(session.source(), Arc::clone(&session.store))
        .await
        .map_err(|e| cluster::sentence_about(session, &e))?;
    let report = verify(&session.source(), &*session.store).await.map_err(|e| session.clean(&e))?;
    let digest = digest(&*session.store).await?;
    let found = report.differences.len();
    let error = why_not_equal(&report, done.doubt.as_deref());
    let shown = report.differences.iter().take(args.limit);
    if args.output.json {
        print_json(&json!({
            "error": error,
            "slot": report.slot,
            "accounts": done.accounts,
            "written": done.written,
            "closed": done.closed,
            "events": done.events,
            "compared": report.compared,
            "equal": report.equal,
            "left_out": report.left_out,
            "digest": hex::encode(digest.tables),
            "audit_seq": digest.audit_seq,
            "audit_head": hex::encode(digest.audit),
            "found": found,
            "differences": shown.map(|d| json!({
                "account": d.pubkey.to_string(),
                "field": d.field,
                "mirror": d.mirror,
                "chain": d.chain,
            })).collect::<Vec<_>>(),
        }))?;
    } else {
        print(&format!(
            "Mirrored {} accounts as of slot {}; {} rows changed, {} closed, {} new events.",
            done.accounts,
            grouped(done.slot),
            done.written,
            done.closed,
            done.events
        ))?;
        for d in shown {
            print(&format!("{} {}: mirror {}, chain {}", d.pubkey, d.field, d.mirror, d.chain))?;
        }
        let more = found.saturating_sub(args.limit);
        if more > 0 {
            print(&format!("{more} more differences; --limit {found} prints all."))?;
        }
        print(&format!(
            "Compared every field of {} accounts with the chain at slot {}: {} equal.",
            report.compared,
            grouped(report.slot),
            report.equal
        ))?;
        print(&format!("Digest {} of {} accounts", hex::encode(digest.tables), digest.rows))?;
        print(&format!("Audit head {} {}", digest.audit_seq, hex::encode(digest.audit)))?;
    }
    Ok(match error {
        Some(error) => {
            eprintln!("control-room: {error}");
            DIFFERS_EXIT_CODE
        }
        None => 0,
    })
}

/// Why the mirror is not proved equal to the chain, if it is not.
fn why_not_equal(report: &VerifyReport, doubt: Option<&str>) -> Option<String> {
    let found = report.differences.len();
    if found > 0 {
        return Some(format!(
            "The mirror differs from the chain in {found} fields. Move the store away and run `control-room index --once`."
        ));
    }
    if report.left_out > 0 {
        return Some(format!(
            "The RPC node at {} cuts its list of accounts short: it left out {} that exist. Those were compared by address, but an account that neither the list nor the mirror holds was not. Use another node and run this again.",
            report.node, report.left_out
        ));
    }
    doubt.map(ToOwned::to_owned)
}

/// Mirrors until Ctrl-C or SIGTERM. Prints each change of the connection and of the reasons to distrust the mirror.
async fn run_until_stopped(session: &Session, args: &Index) -> Result<u8> {
    let source = session.source();
    let limits = session.limits();
    let metrics = source.metrics.clone();
    let recording = match &args.record {
        Some(path) => {
            let recorder = Recorder::create(path)?;
            Some(Arc::new(Recording::new(Arc::clone(&session.store), recorder)))
        }
        None => None,
    };
    let store: Arc<dyn Store> = match &recording {
        Some(recording) => Arc::<Recording>::clone(recording),
        None => Arc::clone(&session.store),
    };
    let indexer = session.mirror(source, store)?.spawn();
    let mut health = indexer.health.clone();
    let mut term = signal(SignalKind::terminate()).context("Signals cannot be received.")?;
    let probe = http::Probe { health: health.clone(), metrics, limits };
    // The HTTP listener runs until this is dropped at the end of the function.
    let _serving = match session.settings.index.listen {
        Some(at) => Some(listen(at, probe).await?),
        None => None,
    };
    let mut last = String::new();
    let stop_reason = loop {
        let now = health.borrow_and_update().clone().judged(Instant::now(), &limits);
        if let Conn::Stopped { reason } = &now.conn {
            break Some(session.secrets.scrub(reason));
        }
        let text = state_text(session, &now);
        if text != last {
            print_state(session, args.output.json, &now, &text)?;
            last = text;
        }
        tokio::select! {
            changed = health.changed() => if changed.is_err() {
                break Some("The mirror has ended.".to_owned());
            },
            // A silent node or a growing lag sends no change of health, so health is judged again regularly.
            () = tokio::time::sleep(limits.silent) => {}
            _ = tokio::signal::ctrl_c() => break None,
            _ = term.recv() => break None,
        }
    };
    indexer.shutdown().await;
    if let Some(trouble) = recording.and_then(|recording| recording.trouble()) {
        bail!("{}", session.secrets.scrub(&trouble));
    }
    match stop_reason {
        None => Ok(0),
        Some(reason) => bail!("{reason}"),
    }
}

async fn listen(at: std::net::SocketAddr, probe: http::Probe) -> Result<http::Serving> {
    let serving = http::start(at, probe).await.with_context(|| {
        format!("Health cannot be served at {at}. Choose another address with --listen.")
    })?;
    tracing::info!(at = %serving.at, "health is served");
    Ok(serving)
}

/// The state in words. It has no slot number, so that it changes only when something happens.
fn state_text(session: &Session, now: &Health) -> String {
    let mut text = match &now.conn {
        Conn::Connecting => "Connecting".to_owned(),
        Conn::Live => "Live".to_owned(),
        Conn::Following { writer } => {
            format!("Following {}", session.secrets.scrub(&clean(writer)))
        }
        Conn::Reconnecting { attempt, .. } => format!(
            "Reconnecting (attempt {attempt}): {}",
            session.secrets.scrub(now.error.as_deref().unwrap_or(crate::strings::LOST))
        ),
        Conn::Stopped { .. } => "Stopped".to_owned(),
    };
    if !now.is_healthy() {
        let names: Vec<_> = now.reasons.iter().map(|r| r.name()).collect();
        text.push_str(&format!(" [{}]", names.join(", ")));
    }
    text
}

fn print_state(session: &Session, json: bool, now: &Health, text: &str) -> Result<()> {
    tracing::info!(slot = now.slot, lag = now.lag(), "{text}");
    if json {
        return print(
            &json!({
                "slot": now.slot,
                "state": text,
                "healthy": now.is_healthy(),
                "reasons": http::reasons(now),
            })
            .to_string(),
        );
    }
    if !session.settings.log_to_stderr {
        eprintln!("slot {}: {text}", grouped(now.slot));
        for reason in &now.reasons {
            eprintln!("  {}: {}", reason.name(), reason.sentence());
        }
    }
    Ok(())
}
