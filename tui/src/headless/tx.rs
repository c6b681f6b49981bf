//! `tx`: looks up the outcome of a transaction. Asks only the node, so it works without a mirror.
use anyhow::{Result, anyhow};
use backend::TxStatus;
use indexer::ops::redact::Secrets;
use serde_json::{Value, json};

use super::{print, print_json};
use crate::{cli::tx::Tx, config::Settings, session, text::clean};

/// Looks the transaction up. The exit code is 0 when it landed and succeeded, else 1.
///
/// # Errors
/// The backend's sentence.
pub async fn run(settings: &Settings, secrets: &Secrets, args: &Tx) -> Result<u8> {
    let asked = async { session::chain_client(settings).await?.find(&args.signature).await };
    let status = asked.await.map_err(|e| anyhow!(secrets.scrub(&e.to_string())))?;
    let signature = args.signature.to_string();
    let sentence = clean(&secrets.scrub(&sentence(&signature, &status)));
    if args.output.json {
        print_json(&value(&signature, &status, &sentence))?;
    } else {
        print(&sentence)?;
    }
    Ok(u8::from(!matches!(status, TxStatus::Landed { failure: None, .. })))
}

fn sentence(signature: &str, status: &TxStatus) -> String {
    match status {
        TxStatus::Landed { slot, finalized, failure } => {
            let how = if *finalized { "finalized" } else { "confirmed, not yet finalized" };
            match failure {
                None => format!("The transaction {signature} succeeded in slot {slot} ({how})."),
                Some(reason) => format!(
                    "The transaction {signature} failed in slot {slot} ({how}); only its fee was \
                     taken. {reason}"
                ),
            }
        }
        TxStatus::Unconfirmed { slot } => format!(
            "The transaction {signature} is in slot {slot}, which is not confirmed yet. Look again \
             in a few seconds."
        ),
        TxStatus::NotFound { at, searched } => {
            let kept =
                if *searched { "its history" } else { "the last minutes, and keeps no more" };
            format!(
                "The node is at slot {at} and does not know the transaction {signature}: it searched \
                 {kept}. It can still land for about two minutes after it was signed; look again then, or \
                 ask another node with --rpc-url."
            )
        }
    }
}

fn value(signature: &str, status: &TxStatus, sentence: &str) -> Value {
    let (name, slot, error) = match status {
        TxStatus::Landed { slot, failure: None, finalized: true } => {
            ("finalized", Some(slot), None)
        }
        TxStatus::Landed { slot, failure: None, .. } => ("confirmed", Some(slot), None),
        TxStatus::Landed { slot, failure, .. } => ("failed", Some(slot), failure.as_ref()),
        TxStatus::Unconfirmed { slot } => ("unconfirmed", Some(slot), None),
        TxStatus::NotFound { .. } => ("not found", None, None),
    };
    let node_slot = match status {
        TxStatus::NotFound { at, .. } => Some(at),
        _ => None,
    };
    json!({
        "signature": signature,
        "status": name,
        "slot": slot,
        "node_slot": node_slot,
        "error": error.map(|f| f.sentence.clone()),
        "sentence": sentence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_that_is_not_found_is_not_called_dropped() {
        for searched in [true, false] {
            let said = sentence("abc", &TxStatus::NotFound { at: 9, searched });
            assert!(said.contains("abc") && said.contains("can still land"), "{said}");
            assert!(!said.contains("ropped") && !said.contains("safe"), "{said}");
        }
    }

    #[test]
    fn the_status_in_json_tells_confirmed_from_finalized() {
        let landed = |finalized| TxStatus::Landed { slot: 7, finalized, failure: None };
        assert_eq!(value("abc", &landed(true), "")["status"], "finalized");
        assert_eq!(value("abc", &landed(false), "")["status"], "confirmed");
        assert_eq!(value("abc", &TxStatus::Unconfirmed { slot: 7 }, "")["status"], "unconfirmed");
    }

    #[test]
    fn the_nodes_slot_is_not_reported_as_the_transactions_slot() {
        let said = value("abc", &TxStatus::NotFound { at: 9, searched: true }, "");
        assert_eq!((&said["slot"], &said["node_slot"]), (&Value::Null, &json!(9)));
    }
}
