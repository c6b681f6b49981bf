//! `buffer show`: prints a buffer's code hash, authority and attestation. Signs nothing.
use anyhow::Result;
use backend::{BufferView, SetupManager};
use serde_json::{Value, json};

use crate::{
    cli::setup::Show,
    headless::{print, print_json},
    session::Session,
    text::{clean, grouped},
};

pub(super) async fn run(session: &Session, args: &Show) -> Result<u8> {
    let setup = SetupManager::new(&session.backend(None).await?.context());
    let view = setup.buffer(&args.buffer).await.map_err(|e| session.clean(&e))?;
    if args.output.json {
        print_json(&value(&view))?;
        return Ok(0);
    }
    for line in lines(&view) {
        print(&clean(&line))?;
    }
    Ok(0)
}

fn value(view: &BufferView) -> Value {
    let known = view.attestation.as_ref();
    json!({
        "buffer": view.address.to_string(),
        "authority": view.authority.map(|k| k.to_string()),
        "lamports": view.lamports,
        "sha256": hex::encode(view.sha256),
        "len": view.elf.as_ref().ok().map(|e| e.len),
        "sbpf_version": view.elf.as_ref().ok().map(|e| e.sbpf_version),
        "problem": view.elf.as_ref().err().map(ToString::to_string),
        "frozen": view.frozen(),
        "attested": known.is_some_and(|a| a.attested),
        "role": known.map(|a| a.role.name()),
        "program": known.map(|a| a.program.to_string()),
        "proposal": known.and_then(|a| a.proposal).map(|k| k.to_string()),
        "refund": known.map(|a| a.refund.to_string()),
    })
}

fn lines(view: &BufferView) -> Vec<String> {
    let mut out = vec![
        format!("buffer {}", view.address),
        format!("  solana-verify hash {}", hex::encode(view.sha256)),
    ];
    out.push(match &view.elf {
        Ok(elf) => format!("  {} bytes, sBPF v{}", grouped(elf.len.into()), elf.sbpf_version),
        Err(problem) => format!("  not code that can be deployed: {problem}"),
    });
    let holder = view.authority.map_or_else(|| "nobody".to_owned(), |k| k.to_string());
    out.push(format!("  authority {holder}, {} lamports", grouped(view.lamports)));
    match &view.attestation {
        None => out.push("  not frozen: its authority can still change it".to_owned()),
        Some(known) => {
            let hash = if known.attested { "attested" } else { "not attested yet" };
            let (role, program) = (known.role.name(), known.program);
            let frozen = if view.frozen() { "frozen" } else { "no longer the manager's" };
            out.push(format!("  {frozen} as {role} buffer of program {program}, {hash}"));
            let pinned = known.proposal.map_or_else(
                || "no proposal has pinned it".to_owned(),
                |k| format!("pinned by proposal {k}"),
            );
            out.push(format!("  {pinned}; rent goes back to {}", known.refund));
        }
    }
    out
}
