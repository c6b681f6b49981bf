//! Reads finalised transactions of the manager, in order, and their events. An event is an inner
//! instruction that the manager sends to itself under its event authority. No other program can sign
//! for that address, so unlike a log line an event cannot be forged or truncated.
mod pages;

use std::collections::{BTreeSet, HashMap};

use anchor_lang::event::EVENT_IX_TAG_LE;
use futures_util::future::try_join_all;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use upgrade_manager::seeds;

use self::pages::{List, Listed, Pages};
use super::{
    answers::{InnerInstruction, NodeTransaction},
    fault::RpcFault,
    rpc::Rpc,
};
use crate::{
    source::error::{IndexerError, Result},
    store::audit_log::AuditEntry,
};

/// Transactions that are read at the same time.
const MAX_CONCURRENT_READS: usize = 8;

/// Transactions of one slot, in block order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotHistory {
    /// The slot.
    pub slot: u64,
    /// Its successful transactions that name the manager.
    pub signatures: Vec<Signature>,
}

/// The manager's transactions between two slots, read oldest first in parts, so that memory does not
/// grow with their number.
#[derive(Debug)]
pub struct History(Pages);

impl History {
    /// Walks the list of transactions in the slots after `after` up to `upto`. `known`: the audit log
    /// already has events up to `after`, so a list that ends above it is incomplete.
    ///
    /// # Errors
    /// When the node does not answer, or its list is incomplete or contradicts itself.
    pub async fn between(rpc: &Rpc, after: u64, upto: u64, known: bool) -> Result<Self> {
        Pages::survey(rpc, after, upto, known).await.map(Self)
    }

    /// The next slots with successful transactions, oldest first, about a thousand transactions at a
    /// time; [`None`] at the end. A part may be empty.
    ///
    /// # Errors
    /// As [`Self::between`]. Then no slot of this part counts as read.
    pub async fn next(&mut self, rpc: &Rpc) -> Result<Option<Vec<SlotHistory>>> {
        let Some(slots) = self.0.next(rpc).await? else { return Ok(None) };
        let mut out = Vec::with_capacity(slots.len());
        for (slot, signatures) in slots {
            out.push(SlotHistory { slot, signatures: ordered(rpc, slot, signatures).await? });
        }
        Ok(Some(out))
    }
}

/// The method that lists transactions.
const LIST: &str = "getSignaturesForAddress";

impl List for Rpc {
    async fn page(&self, before: Option<Signature>) -> Result<Vec<Listed>> {
        let page = self.signatures(before).await?;
        page.into_iter()
            .map(|e| {
                let signature = e
                    .signature
                    .parse()
                    .map_err(|_| wrong(self, LIST, "a signature cannot be read"))?;
                Ok(Listed { slot: e.slot, signature, failed: e.has_failed() })
            })
            .collect()
    }

    async fn has(&self, signature: &Signature) -> Result<bool> {
        match self.transaction(signature).await {
            Ok(_) => Ok(true),
            // The node has it; only this build cannot read it.
            Err(IndexerError::Rpc { fault: RpcFault::NewerVersion, .. }) => Ok(true),
            Err(e) if is_absent(&e) => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn wrong(&self, detail: String) -> IndexerError {
        wrong(self, LIST, &detail)
    }
}

fn wrong(rpc: &Rpc, method: &'static str, detail: &str) -> IndexerError {
    rpc.wrong(method, detail)
}

/// Whether the node answered that it has no such transaction.
fn is_absent(e: &IndexerError) -> bool {
    matches!(e, IndexerError::Rpc { fault: RpcFault::LongTermMissing, .. })
}

/// Sorts `listed` by the block: `getSignaturesForAddress` does not guarantee the order within a slot.
async fn ordered(rpc: &Rpc, slot: u64, listed: BTreeSet<Signature>) -> Result<Vec<Signature>> {
    if listed.len() < 2 {
        return Ok(listed.into_iter().collect());
    }
    let block = rpc.block_signatures(slot).await?;
    let places: HashMap<&str, usize> =
        block.iter().enumerate().map(|(at, s)| (s.as_str(), at)).collect();
    let place = |s: Signature| places.get(s.to_string().as_str()).map(|at| (*at, s));
    // No guessing: the order goes into the audit hashes.
    let mut placed: Vec<(usize, Signature)> =
        listed.into_iter().map(place).collect::<Option<_>>().ok_or_else(|| {
            let detail = format!("block {slot} lacks a transaction that the node lists there");
            wrong(rpc, "getBlock", &detail)
        })?;
    placed.sort_unstable_by_key(|(at, _)| *at);
    Ok(placed.into_iter().map(|(_, signature)| signature).collect())
}

/// The manager's events in `history`, in order. Each slot must hold all its transactions, because
/// [`AuditEntry::tx_index`] counts them.
///
/// # Errors
/// When the node does not answer; [`IndexerError::Pruned`] when it no longer has one of the
/// transactions, [`IndexerError::Unread`] when one cannot be read.
pub async fn events(
    rpc: &Rpc,
    program_id: &Pubkey,
    history: &[SlotHistory],
) -> Result<Vec<AuditEntry>> {
    let wanted: Vec<TransactionPlace> = history
        .iter()
        .flat_map(|h| {
            h.signatures.iter().map(|s| TransactionPlace {
                slot: h.slot,
                tx_index: 0,
                signature: *s,
            })
        })
        .collect();
    let mut out = vec![];
    let (mut slot, mut tx_index) = (0, 0u32);
    for part in wanted.chunks(MAX_CONCURRENT_READS) {
        let read = part.iter().map(|at| events_at(rpc, program_id, *at));
        for (at, mut events) in part.iter().zip(try_join_all(read).await?) {
            if at.slot != slot {
                (slot, tx_index) = (at.slot, 0);
            }
            if !events.is_empty() {
                events.iter_mut().for_each(|e| e.tx_index = tx_index);
                tx_index = tx_index.saturating_add(1);
                out.append(&mut events);
            }
        }
    }
    Ok(out)
}

async fn events_at(
    rpc: &Rpc,
    program_id: &Pubkey,
    at: TransactionPlace,
) -> Result<Vec<AuditEntry>> {
    let read = async {
        let transaction = rpc.transaction(&at.signature).await?;
        if transaction.slot != at.slot {
            let found = transaction.slot;
            let detail = format!("getTransaction tells of it in slot {found}");
            return Err(wrong(rpc, "getTransaction", &detail));
        }
        events_of(program_id, at, &transaction)
            .map_err(|why| wrong(rpc, "getTransaction", &format!("it {why}")))
    };
    read.await.map_err(|error| held_up(rpc, at, error))
}

/// Turns `error` into one that names the transaction before which the audit log stops.
fn held_up(rpc: &Rpc, at: TransactionPlace, error: IndexerError) -> IndexerError {
    let (url, signature, slot) = (rpc.shown(), at.signature.to_string(), at.slot);
    match error {
        IndexerError::Rpc { fault: RpcFault::LongTermMissing, .. } => {
            IndexerError::Pruned { url, signature, slot }
        }
        IndexerError::Rpc {
            fault: fault @ (RpcFault::NewerVersion | RpcFault::Garbled),
            detail,
            ..
        } => IndexerError::Unread { url, signature, slot, fault, detail },
        // The call failed; that says nothing about the transaction.
        other => other,
    }
}

/// The position of a transaction.
#[derive(Clone, Copy, Debug)]
pub struct TransactionPlace {
    /// Its slot.
    pub slot: u64,
    /// See [`AuditEntry::tx_index`].
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
    at: TransactionPlace,
    answer: &NodeTransaction,
) -> Result<Vec<AuditEntry>, String> {
    let meta = answer.outcome()?;
    if meta.has_failed() {
        return Ok(vec![]);
    }
    let keys = account_keys(answer)?;
    // Null means that the node did not record them, not that there were none.
    let groups = meta
        .inner_groups()
        .ok_or("came without its inner instructions, which this node does not keep")?;
    let mut out = vec![];
    for group in groups {
        for (inner_index, instruction) in (0u32..).zip(&group.instructions) {
            if let Some(payload) = event_payload(program_id, &keys, instruction)? {
                out.push(AuditEntry {
                    slot: at.slot,
                    tx_index: at.tx_index,
                    ix_index: group.index,
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

fn account_keys(answer: &NodeTransaction) -> Result<Vec<Pubkey>, String> {
    let parse = |k: &String| k.parse().map_err(|_| format!("names {k:?}, which is no address"));
    answer.account_keys().map(parse).collect()
}

fn event_payload(
    program_id: &Pubkey,
    keys: &[Pubkey],
    instruction: &InnerInstruction,
) -> Result<Option<Vec<u8>>, String> {
    // An index without an address is an error. Skipping the instruction could lose an event.
    let key = |index: usize| {
        keys.get(index).ok_or_else(|| {
            format!("calls account number {index} and names only {} accounts", keys.len())
        })
    };
    if key(instruction.program_id_index)? != program_id {
        return Ok(None);
    }
    let signer = instruction.accounts.first().map(|index| key(*index)).transpose()?;
    let (authority, _) = Pubkey::find_program_address(&[seeds::EVENT_AUTHORITY], program_id);
    if signer != Some(&authority) {
        return Ok(None);
    }
    let data = bs58::decode(&instruction.data)
        .into_vec()
        .map_err(|_| "has instruction data that is not base58".to_owned())?;
    Ok(data.strip_prefix(EVENT_IX_TAG_LE).map(<[u8]>::to_vec))
}
