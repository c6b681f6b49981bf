//! `audit list`, `verify`, `export` and `head`: prints the log of events, checks its chain of hashes, writes it
//! to a file, and prints the newest hash.
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result};
use indexer::{
    AuditRow,
    audit::{self, ExportFormat as FileFormat, check_chain, check_export, export},
    check_store, refresh_once,
    store::audit_log::GENESIS,
};
use serde_json::{Value, json};

use super::{cluster, failed, print, print_json};
use crate::{
    cli::mirror::{Audit, AuditCommand, AuditExport, AuditList, AuditVerify, ExportFormat},
    session::Session,
    text::{clean, utc},
};

/// Exit code of `audit verify` when a row was changed after it was written.
const CHANGED_EXIT_CODE: u8 = 1;

/// Whether the command has `--json`.
pub(super) fn wants_json(args: &Audit) -> bool {
    match &args.command {
        None => args.list.output.json,
        Some(AuditCommand::List(a)) => a.output.json,
        Some(AuditCommand::Verify(a)) => a.output.json,
        Some(AuditCommand::Export(a)) => a.json,
        Some(AuditCommand::Head(output)) => output.json,
    }
}

pub(super) async fn run(session: &Session, args: &Audit) -> Result<u8> {
    match &args.command {
        None => list(session, &args.list).await,
        Some(AuditCommand::List(args)) => list(session, args).await,
        Some(AuditCommand::Verify(args)) => verify(session, args).await,
        Some(AuditCommand::Export(args)) => export_log(session, args).await,
        Some(AuditCommand::Head(output)) => head(session, output.json).await,
    }
}

async fn list(session: &Session, args: &AuditList) -> Result<u8> {
    let refreshed = refresh_once(session.source(), Arc::clone(&session.store)).await;
    let history = refreshed.map_err(|e| cluster::sentence_about(session, &e))?.history;
    let gap = history.map(|e| incomplete(&session.clean(&e)));
    let rows = session.store.audit(args.after, args.limit).await?;
    let fault = if args.check { check_chain(&*session.store).await? } else { None };
    let mut value = None;
    if args.output.json {
        value = Some(json!({
            "rows": rows.iter().map(row_json).collect::<Vec<_>>(),
            "checked": args.check,
            "complete": gap.is_none(),
            "incomplete": gap,
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
    let broken = fault.map(|fault| format!("The audit log is broken: {}", fault.what));
    print_or_fail(value.as_ref(), broken.or(gap))
}

/// Says that the log lacks events of the chain, and why.
fn incomplete(reason: &impl std::fmt::Display) -> String {
    format!("The audit log is not complete. {reason}")
}

/// The reason that the indexer stored why the log is incomplete, as such a sentence.
async fn stored_gap(session: &Session) -> Result<Option<String>> {
    let trouble = audit::trouble(&*session.store).await?;
    Ok(trouble.map(|reason| incomplete(&session.clean(&reason))))
}

fn row_json(r: &AuditRow) -> Value {
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

/// What `audit verify` found in the mirror or in an export.
struct LogCheck {
    summary: String,
    head: [u8; 32],
    rows: u64,
    /// The place in JSON, and what is wrong there.
    faults: Vec<(Value, String)>,
    /// Faults beyond `--limit`.
    more: u64,
}

async fn verify(session: &Session, args: &AuditVerify) -> Result<u8> {
    let (checked, gap) = match &args.file {
        Some(path) => (check_file(path, args.limit)?, None),
        None => (check_mirror(session, args.limit).await?, stored_gap(session).await?),
    };
    let found = u64::try_from(checked.faults.len()).unwrap_or(u64::MAX);
    let found = found.saturating_add(checked.more);
    if args.output.json {
        let faults = checked.faults.iter().map(|(place, what)| json!({"at": place, "what": what}));
        let value = json!({
            "holds": found == 0,
            "complete": gap.is_none(),
            "incomplete": gap,
            "rows": checked.rows,
            "head": hex::encode(checked.head),
            "found": found,
            "faults": faults.collect::<Vec<_>>(),
        });
        if let Some(reason) = gap.filter(|_| found == 0) {
            return failed(reason, Some(&value));
        }
        print_json(&value)?;
    } else {
        for (place, what) in &checked.faults {
            print(&clean(&format!("{}: {what}", place_text(place))))?;
        }
        if checked.more > 0 {
            print(&format!("{} more faults; --limit {found} prints all.", checked.more))?;
        }
        print(&checked.summary)?;
        if found == 0 {
            print("Nothing was changed after it was written.")?;
            if let Some(reason) = gap {
                return failed(reason, None);
            }
        }
    }
    Ok(if found == 0 { 0 } else { CHANGED_EXIT_CODE })
}

/// `table row field` of a fault in the mirror, or `line N field` of one in an export.
fn place_text(place: &Value) -> String {
    let of = |key: &str| match place.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    match place.get("line") {
        Some(_) => format!("line {} {}", of("line"), of("field")),
        None => format!("{} {} {}", of("table"), of("row"), of("field")),
    }
}

async fn check_mirror(session: &Session, limit: usize) -> Result<LogCheck> {
    let report = check_store(&*session.store, limit).await?;
    let summary = format!(
        "Checked {} audit rows and {} accounts. Head {}.",
        report.audit_rows,
        report.accounts,
        hex::encode(report.audit_head)
    );
    let faults = report.faults.into_iter();
    let faults =
        faults.map(|f| (json!({"table": f.table, "row": f.row, "field": f.field}), f.what));
    Ok(LogCheck {
        summary,
        head: report.audit_head,
        rows: report.audit_rows,
        faults: faults.collect(),
        more: report.more,
    })
}

fn check_file(path: &Path, limit: usize) -> Result<LogCheck> {
    let file = File::open(path).with_context(|| {
        format!("The export {} cannot be read. Check the path.", path.display())
    })?;
    let report = check_export(BufReader::new(file), limit)?;
    let summary = format!(
        "Checked {} rows. The last is row {} with hash {}: compare them with `audit head` of a mirror.",
        report.rows,
        report.seq,
        hex::encode(report.head)
    );
    let faults = report.faults.into_iter();
    let faults = faults.map(|f| (json!({"line": f.line, "field": f.field}), f.what));
    Ok(LogCheck {
        summary,
        head: report.head,
        rows: report.rows,
        faults: faults.collect(),
        more: report.more,
    })
}

async fn export_log(session: &Session, args: &AuditExport) -> Result<u8> {
    let format = match (args.format, &args.output) {
        (Some(ExportFormat::Csv), _) => FileFormat::Csv,
        (Some(ExportFormat::Jsonl), _) | (None, None) => FileFormat::JsonLines,
        (None, Some(path)) => FileFormat::of_name(path),
    };
    let Some(path) = &args.output else {
        return match export(&*session.store, format, &mut BufWriter::new(io::stdout())).await {
            // The reader closed the pipe, as `head` does.
            Err(e) if e.to_string().contains("Broken pipe") => Ok(0),
            done => {
                done?;
                stored_gap(session).await?.map_or(Ok(0), |reason| failed(reason, None))
            }
        };
    };
    let rows = export_to_file(session, format, path).await?;
    let gap = stored_gap(session).await?;
    let value = args.json.then(|| {
        json!({
            "rows": rows,
            "file": path.display().to_string(),
            "complete": gap.is_none(),
            "incomplete": gap,
        })
    });
    if value.is_none() {
        print(&format!("Wrote {rows} rows to {}.", path.display()))?;
    }
    print_or_fail(value.as_ref(), gap)
}

/// Prints `value`, and fails with `gap` where there is one.
fn print_or_fail(value: Option<&Value>, gap: Option<String>) -> Result<u8> {
    match gap {
        Some(reason) => failed(reason, value),
        None => {
            value.map_or(Ok(()), print_json)?;
            Ok(0)
        }
    }
}

/// Writes to a temporary file beside `path` and renames it, so that `path` never holds half an export.
async fn export_to_file(session: &Session, format: FileFormat, path: &Path) -> Result<u64> {
    let failed = || {
        format!(
            "The export {} cannot be written. Choose another file.",
            clean(&path.display().to_string())
        )
    };
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    let mut out = BufWriter::new(file);
    let rows = export(&*session.store, format, &mut out).await?;
    out.flush().with_context(failed)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error).with_context(failed)?;
    file.as_file().sync_all().with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(rows)
}

async fn head(session: &Session, json: bool) -> Result<u8> {
    let state = session.store.state().await?;
    let hash = hex::encode(state.audit_head.unwrap_or(GENESIS));
    let base58 = |hash: [u8; 32]| solana_pubkey::Pubkey::new_from_array(hash).to_string();
    let genesis = state.genesis_hash.map(base58);
    let gap = stored_gap(session).await?;
    let value = json.then(|| {
        json!({
            "seq": state.audit_seq,
            "hash": hash,
            "slot": state.history_slot,
            "genesis_hash": genesis,
            "program": state.program_id.map(|p| p.to_string()),
            "complete": gap.is_none(),
            "incomplete": gap,
        })
    });
    if value.is_none() {
        print(&format!("{} {hash}", state.audit_seq))?;
        print(&format!(
            "up to slot {} of the cluster {}",
            state.history_slot,
            genesis.as_deref().unwrap_or("that was never mirrored")
        ))?;
    }
    print_or_fail(value.as_ref(), gap)
}
