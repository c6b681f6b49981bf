//! What a store keeps beside the mirror: what is to be announced, how far each webhook is, and notes
//! about what happened here.
use solana_pubkey::Pubkey;

/// Something to be announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The same for every indexer that reads the same chain: the audit row's hash, or a hash of what
    /// it was derived from.
    pub event_id: [u8; 32],
    /// What happened, for example `ProposalCreated`.
    pub kind: String,
    /// Slot in which it happened.
    pub slot: u64,
    /// Chain time of that, seconds since 1970, where it is known.
    pub chain_time: Option<i64>,
    /// The proposal it is about, else the program, buffer or multisig.
    pub subject: Option<Pubkey>,
    /// A JSON object.
    pub detail: String,
}

/// An announcement in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number; a later one has a greater number.
    pub id: u64,
    /// What it says.
    pub announcement: Announcement,
}

/// How far a webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookState {
    /// The webhook.
    pub name: String,
    /// What happened in this slot or before is not told to it.
    pub since_slot: u64,
    /// The first number that it has not been told of.
    pub next_id: u64,
    /// How often that one was tried.
    pub attempts: u32,
    /// Not to be tried before, milliseconds since 1970 by this machine's clock.
    pub next_at_ms: i64,
    /// What the last attempt ended with, if it failed.
    pub last_error: Option<String>,
}

/// What became of one attempt to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was taken: on to the next.
    Taken,
    /// It was not; to be tried again.
    Again {
        /// Why not, as a sentence.
        error: String,
        /// Not before, milliseconds since 1970 by this machine's clock.
        next_at_ms: i64,
    },
    /// It never will be: it becomes a dead letter, and on to the next.
    Dead {
        /// Why not, as a sentence.
        error: String,
        /// When, milliseconds since 1970 by this machine's clock.
        at_ms: i64,
    },
}

/// What a webhook would not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The webhook.
    pub hook: String,
    /// What it should have been told.
    pub row: OutboxRow,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was not taken, as a sentence.
    pub error: String,
    /// When it was given up, milliseconds since 1970 by this machine's clock.
    pub at_ms: i64,
}

/// Something that happened here and not on chain.
#[derive(Clone, Debug, PartialEq)]
pub struct OpRow {
    /// Its number.
    pub id: u64,
    /// When, milliseconds since 1970 by this machine's clock.
    pub at_ms: i64,
    /// What, for example `Reconnected`.
    pub kind: String,
    /// A JSON object.
    pub detail: serde_json::Value,
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
