//! The outbox: what is to be announced, and how far each webhook is.
use async_trait::async_trait;
use solana_pubkey::Pubkey;

use super::{error::Result, types::Run};

/// Something to be announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The same for every indexer that reads the same chain: the audit row's hash, or a hash of
    /// what it was derived from.
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

/// The outbox of a store.
///
/// Every method is one transaction: it happens in full or, when it returns an error or the process
/// dies, not at all.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Puts what is not an event of its own into the outbox; whether it was new.
    ///
    /// # Errors
    /// [`super::StoreError::Fenced`]; when the store does not answer.
    async fn enqueue(&self, run: &Run, announcement: &Announcement) -> Result<bool>;

    /// What is to be announced behind number `after`, oldest first.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn outbox(&self, after: u64, limit: u32) -> Result<Vec<OutboxRow>>;

    /// How far webhook `name` is. A new one starts at number 1 and remembers `since_slot`, the
    /// newest finalised slot of that moment: it is not told what happened in that slot or before,
    /// so that history which is read again is no news.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn hook(&self, name: &str, since_slot: u64) -> Result<HookState>;

    /// Every webhook that [`Self::hook`] was asked for, by name.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn hooks(&self) -> Result<Vec<HookState>>;

    /// Notes what became of sending outbox row `id` to webhook `name`, which is never taken back
    /// to rows before the one it is at. Taken and dead: on to `id + 1` with no attempts. Again: one
    /// more attempt.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn hook_sent(&self, name: &str, id: u64, sent: &Sent) -> Result<()>;

    /// What webhooks would not take, oldest first.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn dead_letters(&self) -> Result<Vec<DeadLetter>>;

    /// Takes a dead letter off the list; whether it was there.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn forget_dead(&self, hook: &str, id: u64) -> Result<bool>;
}
