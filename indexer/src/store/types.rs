//! What goes into a store and what comes out of it.
use std::collections::BTreeMap;

use solana_pubkey::Pubkey;
use upgrade_manager::state::{
    AccountStatus, BufferAttestation, GovernanceProposal, MultisigConfig, ProgramUpgradeState,
    UpgradeProposal,
};

use crate::account::{Quarantined, Update};

/// One run of an indexer on a store. Every write of an indexer carries it, and is refused once
/// another run has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Counts the runs on this store.
    pub id: u32,
    /// Slot of the last complete snapshot; a node that is behind it is not trusted.
    pub snapshot_slot: u64,
    /// Newest finalised slot that the store has heard of.
    pub root_slot: u64,
}

impl Run {
    /// Write order of the `seq`th message of this run; always above a snapshot's, which is 0.
    #[must_use]
    pub fn write_version(self, seq: u32) -> u64 {
        (u64::from(self.id) << 32) | u64::from(seq)
    }
}

/// An account that is known to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The account.
    pub pubkey: Pubkey,
    /// Slot in which it was gone.
    pub slot: u64,
    /// Order within the slot, as [`Update::write_version`].
    pub write_version: u64,
}

/// States to be written together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// States of accounts, in any order, also several of one account.
    pub updates: Vec<Update>,
    /// Accounts that are gone. One that is not in the mirror is left out.
    pub closes: Vec<Close>,
    /// States that could not be decoded.
    pub quarantined: Vec<Quarantined>,
    /// Slot up to which nothing is missing.
    pub frontier: Option<u64>,
}

/// What a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows with new content.
    pub written: u64,
    /// Rows whose content was the same; only their order moved, if anything.
    pub unchanged: u64,
    /// States and closes older than what was there.
    pub stale: u64,
    /// Rows that were closed.
    pub closed: u64,
    /// The store's revision afterwards.
    pub rev: u64,
}

/// A part of a first snapshot, see [`super::MirrorStore::fill`].
#[derive(Clone, Debug)]
pub enum Fill {
    /// States of accounts, and what could not be decoded.
    Rows(Vec<Update>, Vec<Quarantined>),
    /// The snapshot was complete.
    End,
}

/// How far the writer has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Slot up to which nothing is missing.
    pub frontier: Option<u64>,
    /// Newest finalised slot.
    pub root: Option<u64>,
    /// Newest confirmed slot whose changes are in the store.
    pub confirmed: Option<u64>,
}

/// Who may write, and for how much longer by the store's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The writer's name for people.
    pub owner: String,
    /// What is left; zero when it has run out.
    pub left: std::time::Duration,
}

/// What a store knows about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorState {
    /// The manager program, once a run has begun.
    pub program_id: Option<Pubkey>,
    /// The cluster, once a run has begun.
    pub genesis_hash: Option<[u8; 32]>,
    /// The newest run.
    pub run_id: u32,
    /// Slot up to which nothing is missing.
    pub frontier_slot: u64,
    /// Newest finalised slot.
    pub root_slot: u64,
    /// Newest confirmed slot whose changes are in the store.
    pub confirmed_slot: u64,
    /// Slot of the last complete snapshot.
    pub snapshot_slot: u64,
    /// Slot up to which history is in the audit log.
    pub history_slot: u64,
    /// Number of the newest audit row, 0 without one.
    pub audit_seq: u64,
    /// Its hash.
    pub audit_head: Option<[u8; 32]>,
    /// Grows whenever something a screen shows has changed.
    pub rev: u64,
    /// The lease, unless it was given back.
    pub lease: Option<Lease>,
}

/// What taking back orphaned slots did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Rows that are as they were before.
    pub restored: u64,
    /// Rows that are gone again: the account was first seen in an orphaned slot.
    pub removed: u64,
    /// The store's revision afterwards.
    pub rev: u64,
}

/// What the end of a snapshot did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closing {
    /// So many rows were closed.
    Closed(u64),
    /// Nothing was changed, because the snapshot lacks these accounts and no node has said yet that
    /// they are gone. Ascending by address.
    Unproved(Vec<Pubkey>),
}

/// One mirrored account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<T> {
    /// Its address.
    pub pubkey: Pubkey,
    /// Its content, the last known one if it is closed.
    pub account: T,
    /// Slot at which it was seen like this.
    pub slot: u64,
    /// Slot at which it was found closed.
    pub closed_slot: Option<u64>,
}

/// One live account as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRow {
    /// Its address.
    pub pubkey: Pubkey,
    /// Its bytes.
    pub raw: Vec<u8>,
    /// Slot at which it was seen like this.
    pub slot: u64,
}

/// How many live version records stand at each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgressRow {
    /// Seen, not migrated.
    pub pending: u64,
    /// On the new layout.
    pub migrated: u64,
    /// On the new layout and checked again.
    pub verified: u64,
    /// Back on the old layout.
    pub restored: u64,
    /// Set aside.
    pub quarantined: u64,
    /// Closed before migration.
    pub closed: u64,
}

impl ProgressRow {
    /// The counter of `status`.
    pub fn slot(&mut self, status: AccountStatus) -> &mut u64 {
        match status {
            AccountStatus::Pending => &mut self.pending,
            AccountStatus::Migrated => &mut self.migrated,
            AccountStatus::Verified => &mut self.verified,
            AccountStatus::Restored => &mut self.restored,
            AccountStatus::Quarantined => &mut self.quarantined,
            AccountStatus::Closed => &mut self.closed,
        }
    }

    /// The counters in the order of [`AccountStatus::ALL`].
    #[must_use]
    pub fn counts(mut self) -> [u64; 6] {
        AccountStatus::ALL.map(|status| *self.slot(status))
    }

    /// The sum of `self` and `other`.
    #[must_use]
    pub fn plus(mut self, mut other: Self) -> Self {
        for status in AccountStatus::ALL {
            let n = *other.slot(status);
            let mine = self.slot(status);
            *mine = mine.saturating_add(n);
        }
        self
    }
}

/// Everything a screen shows, but version records and history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Multisigs.
    pub multisigs: Vec<Row<MultisigConfig>>,
    /// Programs.
    pub programs: Vec<Row<ProgramUpgradeState>>,
    /// Proposals.
    pub proposals: Vec<Row<UpgradeProposal>>,
    /// Proposals about multisigs.
    pub governance: Vec<Row<GovernanceProposal>>,
    /// Frozen buffers.
    pub attestations: Vec<Row<BufferAttestation>>,
    /// Version records of each program, by status.
    pub progress: BTreeMap<Pubkey, ProgressRow>,
    /// Version records that each proposal moved last, by status.
    pub moved: BTreeMap<Pubkey, ProgressRow>,
    /// Slot up to which nothing is missing.
    pub frontier: u64,
    /// [`super::MirrorStore::revision`] at the time of reading.
    pub rev: u64,
}

/// Which version records to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordQuery {
    /// Only those at this status.
    pub status: Option<AccountStatus>,
    /// Only those behind this record's address.
    pub after: Option<Pubkey>,
    /// At most this many.
    pub limit: u32,
}

/// For how many days things are kept; `None` is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Notes about what happened here.
    pub ops_days: Option<u32>,
    /// Announcements that every webhook has been told of or has refused.
    pub outbox_days: Option<u32>,
    /// Records and backups of accounts that are closed, counted in slots of 400 ms behind the root.
    pub closed_days: Option<u32>,
}
