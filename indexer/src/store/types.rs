//! The values that a store takes and returns.
use std::collections::BTreeMap;

use solana_pubkey::Pubkey;
use upgrade_manager::state::{
    AccountStatus, BufferAttestation, GovernanceProposal, MultisigConfig, ProgramUpgradeState,
    UpgradeProposal,
};

use crate::account::{Quarantined, Update};

/// One run of an indexer on a store: the fencing token. Every write of an indexer carries it, and the
/// store refuses it once a newer run has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Counts the runs on this store.
    pub id: u32,
    /// Slot of the last complete snapshot; a node that is behind it is not trusted.
    pub snapshot_slot: u64,
    /// Newest finalised slot that the store has recorded.
    pub root_slot: u64,
}

impl Run {
    /// Write version of the `seq`th message of this run; always above a snapshot's, which is 0.
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

/// Changes that are written in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// States of accounts, in any order, also several of one account.
    pub updates: Vec<Update>,
    /// Accounts that are gone. The store ignores one that it does not hold.
    pub closes: Vec<Close>,
    /// States that could not be decoded.
    pub quarantined: Vec<Quarantined>,
    /// Slot up to which nothing is missing.
    pub frontier: Option<u64>,
}

/// The effect of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows with new content.
    pub written: u64,
    /// Rows whose content was the same; at most their slot and write version changed.
    pub unchanged: u64,
    /// States and closes older than the stored row.
    pub stale: u64,
    /// Rows that were closed.
    pub closed: u64,
    /// The store's revision afterwards.
    pub rev: u64,
}

/// A part of a first snapshot, see [`super::MirrorStore::fill`].
#[derive(Clone, Debug)]
pub enum Fill {
    /// States of accounts, and undecodable accounts.
    Rows(Vec<Update>, Vec<Quarantined>),
    /// The snapshot was complete.
    End,
}

/// The writer's progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Slot up to which nothing is missing.
    pub frontier: Option<u64>,
    /// Newest finalised slot.
    pub root: Option<u64>,
    /// Newest confirmed slot whose changes are in the store.
    pub confirmed: Option<u64>,
}

/// The lease of the process that may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The writer's name for people.
    pub owner: String,
    /// Remaining time by the store's clock; zero when it has run out.
    pub left: std::time::Duration,
}

/// The state of a store: identity, marks, audit head and lease.
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
    /// Grows whenever displayed data changes.
    pub rev: u64,
    /// The lease, unless it was released.
    pub lease: Option<Lease>,
}

/// The effect of undoing orphaned slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Rows that got their earlier state back.
    pub restored: u64,
    /// Deleted rows: their account was first seen in an orphaned slot.
    pub removed: u64,
    /// The store's revision afterwards.
    pub rev: u64,
}

/// The effect of ending a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Number of closed rows.
    Closed(u64),
    /// Nothing changed: the snapshot lacks these accounts, and no node has confirmed by address that
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

/// The displayed data, without version records and history.
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

/// Selects version records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordQuery {
    /// Only those at this status.
    pub status: Option<AccountStatus>,
    /// Only those after this record's address.
    pub after: Option<Pubkey>,
    /// At most this many.
    pub limit: u32,
}

/// For how many days rows stay; [`None`] is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Notes of the local log.
    pub ops_days: Option<u32>,
    /// Announcements that every webhook has accepted or refused.
    pub outbox_days: Option<u32>,
    /// Records and backups of accounts that are closed, counted in slots of 400 ms behind the root.
    pub closed_days: Option<u32>,
}
