//! A recording of everything that reached the mirror, and the mirror that comes out of it again.
//! The same recording gives the same digest on any store: what an operator saw can be looked at
//! later, by somebody else, without the node.
//!
//! A recording is JSON Lines. Its first line names the format; then comes one arrival a line, in
//! the order in which the store took them. What a digest is made of is in it and nothing else: no
//! addresses of nodes, no times, no keys.
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

/// Name of the format, in the first line.
const FORMAT: &str = "upgrade-control-room/arrivals";
/// Its version.
const VERSION: u32 = 1;
/// Addresses of one line.
const ADDRESSES: usize = 1_000;

/// The first line of a recording.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
}

/// Something that reached the mirror. Addresses, hashes of clusters and signatures are base58,
/// bytes base64.
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
        /// Its bytes, as mirrored.
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
    /// What came before was written in one transaction.
    Apply {
        /// Slot up to which nothing was missing then.
        frontier: Option<u64>,
    },
    /// Addresses in a snapshot; belongs to the next [`Self::Complete`].
    PubkeySet {
        /// The addresses.
        #[serde(with = "text::keys")]
        keys: Vec<Pubkey>,
    },
    /// A complete snapshot ended: what it lacks was proved to be gone, and is closed.
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
    /// Slots turned out to be on no chain.
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
        /// The outer instruction's place.
        ix_index: u32,
        /// The event's place among its inner ones.
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
    /// The events that came before were appended.
    Appended {
        /// Slot up to which history is read.
        upto: u64,
    },
}

impl Arrival {
    /// What `batch` is made of, ending with [`Self::Apply`].
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

    /// The end of a complete snapshot with `present`.
    pub fn of_snapshot(slot: u64, present: &Arc<PubkeySet>) -> impl Iterator<Item = Self> {
        let keys: Vec<Pubkey> = present.iter().collect();
        let lines: Vec<Self> =
            keys.chunks(ADDRESSES).map(|keys| Self::PubkeySet { keys: keys.to_vec() }).collect();
        lines.into_iter().chain([Self::Complete { slot }])
    }

    /// What was appended, ending with [`Self::Appended`].
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

    /// Marks that moved.
    #[must_use]
    pub fn of_marks(marks: Marks) -> Self {
        let Marks { frontier, root, confirmed } = marks;
        Self::Marks { frontier, root, confirmed }
    }
}
