//! Records everything that the mirror receives, and replays a recording into an empty store. One
//! recording gives the same digest on any store, so an incident can be studied later without the node.
//!
//! A recording is JSON Lines: the first line names the format, every other line is one arrival, in the
//! order in which the store took them. It holds only what a digest depends on: no node addresses, no
//! times, no keys.
mod player;
mod recorder;
mod recording;
mod text;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use crate::store::{Batch, Marks, PubkeySet, audit_log::AuditEntry};

pub use player::{Replayed, complete, replay};
pub use recorder::Recorder;
pub use recording::Recording;

/// Name of the format.
const FORMAT: &str = "upgrade-control-room/arrivals";
/// Version of the format.
const VERSION: u32 = 1;
/// Most addresses of one line.
const ADDRESSES: usize = 1_000;

/// The first line of a recording.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
}

/// One thing that the mirror received. Addresses, genesis hashes and signatures are base58, bytes base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Arrival {
    /// A run began.
    Run {
        /// The manager program.
        #[serde(with = "text::key")]
        program: Pubkey,
        /// Hash of the cluster's first block.
        #[serde(with = "text::hash")]
        genesis: [u8; 32],
    },
    /// The state of an account; belongs to the next [`Self::Apply`].
    Account {
        /// Its slot.
        slot: u64,
        /// Order within the slot, see [`crate::account::Update::write_version`].
        write_version: u64,
        /// The account.
        #[serde(with = "text::key")]
        pubkey: Pubkey,
        /// Its mirrored bytes.
        #[serde(with = "text::bytes")]
        data: Vec<u8>,
    },
    /// An account that could not be decoded; belongs to the next [`Self::Apply`].
    Unreadable {
        /// Its slot.
        slot: u64,
        /// The account.
        #[serde(with = "text::key")]
        pubkey: Pubkey,
        /// Its owner.
        #[serde(with = "text::key")]
        owner: Pubkey,
        /// What was wrong with it.
        error: String,
        /// Its bytes.
        #[serde(with = "text::bytes")]
        data: Vec<u8>,
    },
    /// An account was closed; belongs to the next [`Self::Apply`].
    Close {
        /// In which slot.
        slot: u64,
        /// Order within the slot.
        write_version: u64,
        /// The account.
        #[serde(with = "text::key")]
        pubkey: Pubkey,
    },
    /// The arrivals since the last [`Self::Apply`] were written in one transaction.
    Apply {
        /// Slot up to which nothing was missing.
        frontier: Option<u64>,
    },
    /// Addresses in a snapshot; belongs to the next [`Self::Complete`].
    PubkeySet {
        /// The addresses.
        #[serde(with = "text::keys")]
        keys: Vec<Pubkey>,
    },
    /// A complete snapshot ended: accounts that it lacks were proved to be gone and were closed.
    Complete {
        /// Its slot.
        slot: u64,
    },
    /// The marks moved, see [`Marks`].
    Marks {
        /// Slot up to which nothing is missing.
        frontier: Option<u64>,
        /// Newest finalised slot.
        root: Option<u64>,
        /// Newest confirmed slot.
        confirmed: Option<u64>,
    },
    /// Slots turned out to be orphaned.
    Undo {
        /// The slots.
        slots: Vec<u64>,
    },
    /// A finalised event; belongs to the next [`Self::Appended`].
    Event {
        /// Slot of the transaction.
        slot: u64,
        /// See [`AuditEntry::tx_index`].
        tx_index: u32,
        /// Index of the outer instruction.
        ix_index: u32,
        /// The event's index among its inner instructions.
        inner_index: u32,
        /// The transaction.
        #[serde(with = "text::signature")]
        signature: Signature,
        /// Chain time of the block.
        time: Option<i64>,
        /// The event as emitted.
        #[serde(with = "text::bytes")]
        payload: Vec<u8>,
    },
    /// The events since the last [`Self::Appended`] were appended.
    Appended {
        /// Slot up to which history is read.
        upto: u64,
    },
}

impl Arrival {
    /// The arrivals of `batch`, ending with [`Self::Apply`].
    #[must_use]
    pub fn of_batch(batch: &Batch) -> Vec<Self> {
        let mut out = vec![];
        for u in &batch.updates {
            out.push(Self::Account {
                slot: u.slot,
                write_version: u.write_version,
                pubkey: u.pubkey,
                data: u.raw.clone(),
            });
        }
        for c in &batch.closes {
            out.push(Self::Close {
                slot: c.slot,
                write_version: c.write_version,
                pubkey: c.pubkey,
            });
        }
        for q in &batch.quarantined {
            out.push(Self::Unreadable {
                slot: q.slot,
                pubkey: q.pubkey,
                owner: q.owner,
                error: q.error.clone(),
                data: q.raw.clone(),
            });
        }
        out.push(Self::Apply { frontier: batch.frontier });
        out
    }

    /// The arrivals of a complete snapshot with the addresses `present`.
    pub fn of_snapshot(slot: u64, present: &Arc<PubkeySet>) -> impl Iterator<Item = Self> {
        let keys: Vec<Pubkey> = present.iter().collect();
        let lines: Vec<Self> =
            keys.chunks(ADDRESSES).map(|keys| Self::PubkeySet { keys: keys.to_vec() }).collect();
        lines.into_iter().chain([Self::Complete { slot }])
    }

    /// The arrivals of appended events, ending with [`Self::Appended`].
    #[must_use]
    pub fn of_history(entries: &[AuditEntry], upto: u64) -> Vec<Self> {
        let event = |e: &AuditEntry| Self::Event {
            slot: e.slot,
            tx_index: e.tx_index,
            ix_index: e.ix_index,
            inner_index: e.inner_index,
            signature: e.signature,
            time: e.time,
            payload: e.payload.clone(),
        };
        entries.iter().map(event).chain([Self::Appended { upto }]).collect()
    }

    /// The arrival of changed marks.
    #[must_use]
    pub fn of_marks(marks: Marks) -> Self {
        let Marks { frontier, root, confirmed } = marks;
        Self::Marks { frontier, root, confirmed }
    }
}
