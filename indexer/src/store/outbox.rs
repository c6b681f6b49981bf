//! The outbox of announcements, and each webhook's position in it.
use async_trait::async_trait;
use solana_pubkey::Pubkey;

use super::{error::Result, types::Run};

/// A message for the webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Receivers deduplicate by it. The same for every indexer of one chain: the audit row's hash, or
    /// a hash over kind, subject and a number.
    pub event_id: [u8; 32],
    /// Name of the [`super::announcement::AnnouncementKind`], for example `Created`.
    pub kind: String,
    /// Slot in which it happened.
    pub slot: u64,
    /// Chain time of that slot, seconds since 1970, where known.
    pub chain_time: Option<i64>,
    /// The proposal it is about, else the program, buffer or multisig.
    pub subject: Option<Pubkey>,
    /// A JSON object.
    pub detail: String,
}

/// An announcement in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number; a later announcement has a greater one.
    pub id: u64,
    /// The announcement.
    pub announcement: Announcement,
}

/// A webhook's position in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookState {
    /// The webhook.
    pub name: String,
    /// Announcements of this slot or earlier ones are not sent to it.
    pub since_slot: u64,
    /// Number of the next announcement to send.
    pub next_id: u64,
    /// Failed attempts to send that one.
    pub attempts: u32,
    /// Time of the next attempt, milliseconds since 1970 by this machine's clock.
    pub next_at_ms: i64,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// The result of one attempt to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The receiver accepted it.
    Taken,
    /// It failed and is tried again.
    Again {
        /// Why not, as a sentence.
        error: String,
        /// Time of the next attempt, milliseconds since 1970 by this machine's clock.
        next_at_ms: i64,
    },
    /// It failed for good and becomes a dead letter; the webhook goes on with the next.
    Dead {
        /// Why not, as a sentence.
        error: String,
        /// When, milliseconds since 1970 by this machine's clock.
        at_ms: i64,
    },
}

/// An announcement that was given up for one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The webhook.
    pub hook: String,
    /// The announcement.
    pub row: OutboxRow,
    /// Attempts to send it.
    pub attempts: u32,
    /// Why the last attempt failed, as a sentence.
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
    /// Appends an announcement that no transaction causes, such as the end of a timelock; returns whether it
    /// was new.
    ///
    /// # Errors
    /// [`super::StoreError::Fenced`]; when the store does not answer.
    async fn enqueue(&self, run: &Run, announcement: &Announcement) -> Result<bool>;

    /// Announcements after number `after`, oldest first.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn outbox(&self, after: u64, limit: u32) -> Result<Vec<OutboxRow>>;

    /// The position of webhook `name`, created at number 1 with `since_slot` if it is new. Callers pass
    /// the newest finalised slot: history that is read again must not be announced as news.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn hook(&self, name: &str, since_slot: u64) -> Result<HookState>;

    /// Every webhook that [`Self::hook`] has created, ordered by name.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn hooks(&self) -> Result<Vec<HookState>>;

    /// Records the result of sending outbox row `id` to webhook `name`. Taken and dead move it to
    /// `id + 1` with no attempts; again counts one more attempt. Never moves a webhook back.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn hook_sent(&self, name: &str, id: u64, sent: &Sent) -> Result<()>;

    /// The dead letters of all webhooks, oldest first.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn dead_letters(&self) -> Result<Vec<DeadLetter>>;

    /// Deletes a dead letter; returns whether there was one.
    ///
    /// # Errors
    /// When the store does not answer.
    async fn forget_dead(&self, hook: &str, id: u64) -> Result<bool>;
}
