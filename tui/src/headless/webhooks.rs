//! `webhooks list`, `retry` and `test`: the state of each webhook, its dead letters, and sending by hand.
use std::sync::Arc;

use anyhow::{Result, bail};
use indexer::{
    DeadLetter, HookState, Store,
    store::announcement::AnnouncementKind,
    webhooks::{self, Hook},
};
use serde_json::{Value, json};

use super::{failed, print, print_json};
use crate::{
    cli::webhooks::{Retry, Test, Webhooks},
    config::Webhook,
    session::Session,
    text::{clean, grouped, time_of_day},
};

/// `webhooks list` counts at most this many waiting messages for each webhook.
const MAX_WAITING_COUNT: u32 = 1_000;

pub(super) async fn run(session: &Session, command: &Webhooks) -> Result<u8> {
    match command {
        Webhooks::List(output) => list(session, output.json).await,
        Webhooks::Retry(args) => retry(session, args).await,
        Webhooks::Test(args) => test(session, args).await,
    }
}

/// One webhook, joined from the configuration and the store.
struct HookStatus {
    name: String,
    /// `None` when the store has it but the configuration no longer does.
    settings: Option<Webhook>,
    /// `None` before the first delivery.
    state: Option<HookState>,
    waiting: usize,
    dead: usize,
}

async fn statuses(session: &Session, dead: &[DeadLetter]) -> Result<Vec<HookStatus>> {
    let store = &session.store;
    let mut states = store.hooks().await?;
    let mut out = vec![];
    let known = session.settings.webhooks.iter();
    let mut found: Vec<(String, Option<Webhook>, Option<HookState>)> = known
        .map(|w| {
            let at = states.iter().position(|s| s.name == w.name());
            (w.name().to_owned(), Some(w.clone()), at.map(|at| states.remove(at)))
        })
        .collect();
    found.extend(states.into_iter().map(|s| (s.name.clone(), None, Some(s))));
    for (name, settings, state) in found {
        let waiting = match &state {
            Some(state) => waiting(&**store, state, settings.as_ref()).await?,
            None => 0,
        };
        let dead = dead.iter().filter(|d| d.hook == name).count();
        out.push(HookStatus { name, settings, state, waiting, dead });
    }
    Ok(out)
}

/// Number of messages in the outbox that the webhook has not received yet.
async fn waiting(
    store: &dyn Store,
    state: &HookState,
    settings: Option<&Webhook>,
) -> Result<usize> {
    let rows = store.outbox(state.next_id.saturating_sub(1), MAX_WAITING_COUNT).await?;
    let wanted = |kind: &str| {
        // The outbox has no kind `Vetoed`: the sender finds out whether a cancellation was a veto.
        AnnouncementKind::from_name(kind).is_none_or(|kind| {
            settings.is_none_or(|w| {
                w.target.wants(kind)
                    || (kind == AnnouncementKind::Cancelled
                        && w.target.wants(AnnouncementKind::Vetoed))
            })
        })
    };
    let announcements = rows.iter().map(|r| &r.announcement);
    Ok(announcements.filter(|a| a.slot > state.since_slot && wanted(&a.kind)).count())
}

async fn list(session: &Session, json: bool) -> Result<u8> {
    let dead = session.store.dead_letters().await?;
    let hooks = statuses(session, &dead).await?;
    if json {
        print_json(&json!({
            "webhooks": hooks.iter().map(hook_json).collect::<Vec<_>>(),
            "dead_letters": dead.iter().map(letter_json).collect::<Vec<_>>(),
        }))?;
        return Ok(0);
    }
    if hooks.is_empty() {
        print("There are no webhooks. `control-room config print-default` shows how to add one.")?;
    }
    for hook in &hooks {
        print(&hook_text(hook))?;
    }
    for d in &dead {
        print(&format!(
            "  {} refused no. {} ({}, slot {}) at {} after {} attempts: {}",
            clean(&d.hook),
            d.row.id,
            clean(&d.row.announcement.kind),
            grouped(d.row.announcement.slot),
            time_of_day(d.at_ms),
            d.attempts,
            clean(&d.error)
        ))?;
    }
    if let Some(first) = dead.first() {
        print(&format!(
            "Send them again with `control-room webhooks retry --hook {} --all`.",
            clean(&first.hook)
        ))?;
    }
    Ok(0)
}

fn hook_text(hook: &HookStatus) -> String {
    let place = hook.settings.as_ref().map_or_else(
        || "no longer in the configuration".to_owned(),
        |w| format!("{} as {}", clean(&w.target.shown()), w.target.format.name()),
    );
    let how = match &hook.state {
        None => "not delivered to yet; `control-room index` delivers".to_owned(),
        Some(s) => {
            let wait = match hook.waiting {
                0 => "up to date".to_owned(),
                n => format!("{n} waiting from no. {}", s.next_id),
            };
            let tried = match s.attempts {
                0 => String::new(),
                n => format!(", tried {n} times, next at {}", time_of_day(s.next_at_ms)),
            };
            let last = s.last_error.as_ref().map(|e| format!("; last error: {}", clean(e)));
            format!("{wait}{tried}{}", last.unwrap_or_default())
        }
    };
    let dead = if hook.dead == 0 { String::new() } else { format!("; {} refused", hook.dead) };
    format!("{} ({place}): {how}{dead}", clean(&hook.name))
}

fn hook_json(hook: &HookStatus) -> Value {
    let (settings, state) = (hook.settings.as_ref(), hook.state.as_ref());
    json!({
        "name": hook.name,
        "configured": settings.is_some(),
        "host": settings.map(|w| w.target.shown()),
        "format": settings.map(|w| w.target.format.name()),
        "kinds": settings.map(|w| w.target.kinds().map(AnnouncementKind::name).collect::<Vec<_>>()),
        "since_slot": state.map(|s| s.since_slot),
        "next_id": state.map(|s| s.next_id),
        "attempts": state.map(|s| s.attempts),
        "next_at_ms": state.map(|s| s.next_at_ms),
        "last_error": state.and_then(|s| s.last_error.as_deref()),
        "waiting": hook.waiting,
        "dead": hook.dead,
    })
}

fn letter_json(d: &DeadLetter) -> Value {
    json!({
        "hook": d.hook,
        "id": d.row.id,
        "event_id": hex::encode(d.row.announcement.event_id),
        "kind": d.row.announcement.kind,
        "slot": d.row.announcement.slot,
        "attempts": d.attempts,
        "error": d.error,
        "at_ms": d.at_ms,
    })
}

/// The configured webhook `name`, with its secret loaded.
fn hook(session: &Session, name: &str) -> Result<Arc<Hook>> {
    let all = &session.settings.webhooks;
    match all.iter().find(|w| w.name() == name) {
        Some(webhook) => webhook.open(),
        None if all.is_empty() => bail!(
            "There is no webhook in the configuration. `control-room config print-default` shows how to add one."
        ),
        None => {
            let names: Vec<_> = all.iter().map(Webhook::name).collect();
            bail!(
                "There is no webhook {name:?} in the configuration; there are {}.",
                names.join(", ")
            )
        }
    }
}

async fn test(session: &Session, args: &Test) -> Result<u8> {
    let hook = hook(session, &args.hook)?;
    let sent = webhooks::test(&hook, &session.settings.names).await;
    let error = sent.as_ref().err();
    let value = json!({"hook": args.hook, "status": sent.as_ref().ok(), "error": error});
    let value = args.output.json.then_some(&value);
    match sent {
        Err(error) => failed(error, value),
        Ok(status) => {
            match value {
                Some(value) => print_json(value)?,
                None => print(&format!("{} took the test and answered {status}.", args.hook))?,
            }
            Ok(0)
        }
    }
}

async fn retry(session: &Session, args: &Retry) -> Result<u8> {
    let hook = hook(session, &args.hook)?;
    let mut letters = session.store.dead_letters().await?;
    letters.retain(|d| d.hook == args.hook && args.id.is_none_or(|id| id == d.row.id));
    if let (true, Some(id)) = (letters.is_empty(), args.id) {
        bail!(
            "{} has refused no message {id}. `control-room webhooks list` prints what it refused.",
            args.hook
        );
    }
    let (mut taken, mut error) = (vec![], None);
    for letter in &letters {
        match webhooks::retry(&session.store, &hook, &session.settings.names, letter).await {
            Ok(_) => taken.push(letter.row.id),
            // Stops at the first failure: the next would probably fail too, after another timeout.
            Err(e) => {
                error = Some(e);
                break;
            }
        }
    }
    let left = letters.len().saturating_sub(taken.len());
    let value = json!({"hook": args.hook, "taken": taken, "left": left, "error": error});
    let value = args.output.json.then_some(&value);
    match error {
        Some(error) => failed(format!("{error} {left} of its messages are left."), value),
        None => {
            match value {
                Some(value) => print_json(value)?,
                None if letters.is_empty() => {
                    print(&format!("{} has refused nothing.", args.hook))?
                }
                None => print(&format!("{} took {} messages.", args.hook, taken.len()))?,
            }
            Ok(0)
        }
    }
}
