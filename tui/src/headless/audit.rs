//! `audit`: the log of events, and whether its chain of hashes holds.
use anyhow::Result;
use indexer::{AuditRow, audit::check_chain};
use serde_json::json;

use super::{failed, print, print_json};
use crate::{
    cli::Audit,
    session::Session,
    text::{clean, utc},
};

pub(super) async fn run(session: &Session, args: &Audit) -> Result<u8> {
    super::fresh(session).await?;
    let rows = session.store.audit(args.after, args.limit).await?;
    let fault = if args.check { check_chain(&*session.store).await? } else { None };
    let mut value = None;
    if args.output.json {
        value = Some(json!({
            "rows": rows.iter().map(row).collect::<Vec<_>>(),
            "checked": args.check,
            "error": fault.as_ref().map(|f| json!({"seq": f.seq, "what": f.what})),
        }));
    } else {
        for r in &rows {
            let time = r.time.map_or_else(|| "-".to_owned(), utc);
            let key = |k: Option<solana_pubkey::Pubkey>| {
                k.map_or_else(|| "-".to_owned(), |k| k.to_string())
            };
            print(&format!(
                "{} {time} slot {} {} by {} about {} {}",
                r.seq,
                r.slot,
                clean(&r.kind),
                key(r.actor),
                key(r.subject),
                r.signature
            ))?;
        }
        if args.check && fault.is_none() {
            print("The chain of hashes holds over the whole log.")?;
        }
    }
    match fault {
        None => {
            value.as_ref().map_or(Ok(()), print_json)?;
            Ok(0)
        }
        Some(fault) => failed(format!("The audit log is broken: {}", fault.what), value.as_ref()),
    }
}

fn row(r: &AuditRow) -> serde_json::Value {
    json!({
        "seq": r.seq,
        "time": r.time,
        "slot": r.slot,
        "signature": r.signature,
        "kind": r.kind,
        "actor": r.actor.map(|k| k.to_string()),
        "subject": r.subject.map(|k| k.to_string()),
        "detail": r.detail,
        "prev_hash": hex::encode(r.prev_hash),
        "hash": hex::encode(r.hash),
    })
}
