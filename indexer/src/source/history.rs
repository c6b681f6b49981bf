//! Finalised transactions of the manager, in order, and the events in them. An event is an inner
//! instruction that the manager sent to itself under its event authority: nobody else can sign that
//! address, so unlike a log line it can be neither forged nor cut off.
use std::collections::{BTreeMap, HashMap, HashSet};

use anchor_lang::event::EVENT_IX_TAG_LE;
use futures_util::future::try_join_all;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, EncodedTransaction, UiCompiledInstruction,
    UiInstruction, UiMessage, option_serializer::OptionSerializer,
};
use upgrade_manager::seeds;

use super::rpc::Rpc;
use crate::{IndexerError, Result, audit::AuditEntry};

/// Transactions that are read at the same time.
const AT_ONCE: usize = 8;

/// Transactions of one slot, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotHistory {
    /// The slot.
    pub slot: u64,
    /// Its successful transactions that name the manager.
    pub signatures: Vec<Signature>,
}

/// Successful transactions in the slots after `after` up to `upto`, oldest first.
///
/// # Errors
/// When the node does not answer. Then nothing may be taken as read.
pub async fn between(rpc: &Rpc, after: u64, upto: u64) -> Result<Vec<SlotHistory>> {
    let mut slots: BTreeMap<u64, Vec<Signature>> = BTreeMap::new();
    let mut before = None;
    let mut asked = HashSet::new();
    loop {
        let page = rpc.signatures(before).await?;
        let oldest = page.last().map(|e| (e.slot, e.signature.clone()));
        for entry in page {
            if entry.err.is_some() || entry.slot <= after || entry.slot > upto {
                continue;
            }
            let signature = entry.signature.parse().map_err(|_| garbled(rpc))?;
            let of_slot = slots.entry(entry.slot).or_default();
            // Pages may overlap when the node reorders a slot between two calls.
            if !of_slot.contains(&signature) {
                of_slot.push(signature);
            }
        }
        match oldest {
            Some((slot, signature)) if slot > after => {
                let next = signature.parse().map_err(|_| garbled(rpc))?;
                if !asked.insert(next) {
                    return Err(wrong(rpc, "getSignaturesForAddress", "its pages go in a circle"));
                }
                before = Some(next);
            }
            _ => break,
        }
    }
    let mut out = Vec::with_capacity(slots.len());
    for (slot, newest_first) in slots {
        let signatures = ordered(rpc, slot, newest_first).await?;
        out.push(SlotHistory { slot, signatures });
    }
    Ok(out)
}

fn garbled(rpc: &Rpc) -> IndexerError {
    wrong(rpc, "getSignaturesForAddress", "a signature cannot be read")
}

fn wrong(rpc: &Rpc, method: &'static str, detail: &str) -> IndexerError {
    rpc.wrong(method, detail)
}

/// The block says in which order; the list of signatures is only near it.
async fn ordered(rpc: &Rpc, slot: u64, newest_first: Vec<Signature>) -> Result<Vec<Signature>> {
    let mut signatures: Vec<Signature> = newest_first.into_iter().rev().collect();
    if signatures.len() > 1 {
        let block = rpc.block_signatures(slot).await?;
        let places: HashMap<&str, usize> =
            block.iter().enumerate().map(|(at, s)| (s.as_str(), at)).collect();
        let place = |s: Signature| places.get(s.to_string().as_str()).map(|at| (*at, s));
        // A guess would go into the hashes.
        let mut placed: Vec<(usize, Signature)> =
            signatures.into_iter().map(place).collect::<Option<_>>().ok_or_else(|| {
                let detail = format!("block {slot} lacks a transaction that the node lists there");
                wrong(rpc, "getBlock", &detail)
            })?;
        placed.sort_unstable_by_key(|(at, _)| *at);
        signatures = placed.into_iter().map(|(_, signature)| signature).collect();
    }
    Ok(signatures)
}

/// The manager's events in `history`, in order.
///
/// # Errors
/// When the node does not answer, or no longer has one of the transactions.
pub async fn events(
    rpc: &Rpc,
    program_id: &Pubkey,
    history: &[SlotHistory],
) -> Result<Vec<AuditEntry>> {
    let mut wanted = vec![];
    for of_slot in history {
        for (tx_index, signature) in (0u32..).zip(&of_slot.signatures) {
            wanted.push(Place { slot: of_slot.slot, tx_index, signature: *signature });
        }
    }
    let mut out = vec![];
    for part in wanted.chunks(AT_ONCE) {
        let read = part.iter().map(|at| events_at(rpc, program_id, *at));
        out.extend(try_join_all(read).await?.into_iter().flatten());
    }
    Ok(out)
}

async fn events_at(rpc: &Rpc, program_id: &Pubkey, at: Place) -> Result<Vec<AuditEntry>> {
    let transaction = rpc.transaction(&at.signature).await?;
    events_of(program_id, at, &transaction)
        .map_err(|why| wrong(rpc, "getTransaction", &format!("transaction {} {why}", at.signature)))
}

/// Where a transaction stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its slot.
    pub slot: u64,
    /// Its place among the slot's transactions of the manager.
    pub tx_index: u32,
    /// Its signature.
    pub signature: Signature,
}

/// The manager's events in one transaction, in order.
///
/// # Errors
/// What is wrong with the answer, as the rest of a sentence.
pub fn events_of(
    program_id: &Pubkey,
    at: Place,
    answer: &EncodedConfirmedTransactionWithStatusMeta,
) -> Result<Vec<AuditEntry>, String> {
    let meta = answer.transaction.meta.as_ref().ok_or("came without its outcome")?;
    if meta.err.is_some() {
        return Ok(vec![]);
    }
    let keys = account_keys(answer)?;
    // Null means that the node did not keep them, not that there were none.
    let OptionSerializer::Some(groups) = &meta.inner_instructions else {
        return Err("came without its inner instructions, which this node does not keep".to_owned());
    };
    let mut out = vec![];
    for group in groups {
        for (inner_index, instruction) in (0u32..).zip(&group.instructions) {
            let UiInstruction::Compiled(instruction) = instruction else {
                return Err("came in an encoding that was not asked for".to_owned());
            };
            if let Some(payload) = event_payload(program_id, &keys, instruction)? {
                out.push(AuditEntry {
                    slot: at.slot,
                    tx_index: at.tx_index,
                    ix_index: u32::from(group.index),
                    inner_index,
                    signature: at.signature,
                    time: answer.block_time,
                    payload,
                });
            }
        }
    }
    Ok(out)
}

fn account_keys(answer: &EncodedConfirmedTransactionWithStatusMeta) -> Result<Vec<Pubkey>, String> {
    let EncodedTransaction::Json(transaction) = &answer.transaction.transaction else {
        return Err("came in an encoding that was not asked for".to_owned());
    };
    let UiMessage::Raw(message) = &transaction.message else {
        return Err("came in an encoding that was not asked for".to_owned());
    };
    let mut keys: Vec<&String> = message.account_keys.iter().collect();
    if let Some(OptionSerializer::Some(loaded)) =
        answer.transaction.meta.as_ref().map(|m| &m.loaded_addresses)
    {
        keys.extend(loaded.writable.iter().chain(&loaded.readonly));
    }
    let parse = |k: &String| k.parse().map_err(|_| format!("names {k:?}, which is no address"));
    keys.into_iter().map(parse).collect()
}

fn event_payload(
    program_id: &Pubkey,
    keys: &[Pubkey],
    instruction: &UiCompiledInstruction,
) -> Result<Option<Vec<u8>>, String> {
    let key = |index: u8| keys.get(usize::from(index));
    if key(instruction.program_id_index) != Some(program_id) {
        return Ok(None);
    }
    let signer = instruction.accounts.first().and_then(|index| key(*index));
    let (authority, _) = Pubkey::find_program_address(&[seeds::EVENT_AUTHORITY], program_id);
    if signer != Some(&authority) {
        return Ok(None);
    }
    let data = bs58::decode(&instruction.data)
        .into_vec()
        .map_err(|_| "has instruction data that is not base58".to_owned())?;
    Ok(data.strip_prefix(EVENT_IX_TAG_LE).map(<[u8]>::to_vec))
}
