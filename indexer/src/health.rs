//! How the mirror is doing, as a value that screens draw. Times are the monotonic clock of this
//! machine: chain time may jump by days without anything here noticing.
use std::time::Instant;

/// The connection to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conn {
    /// The first connection is being made.
    Connecting,
    /// Subscribed, and the snapshot is in the store.
    Live,
    /// The connection was lost, or never came about.
    Reconnecting {
        /// Attempts since the last time it was live.
        attempt: u32,
        /// When the next one starts.
        retry_at: Instant,
    },
    /// The indexer has given up or was shut down.
    Stopped {
        /// Why, as a sentence.
        reason: String,
    },
}

/// How the mirror is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The connection.
    pub conn: Conn,
    /// Newest slot the node has told of.
    pub slot: u64,
    /// Newest finalised slot the node has told of.
    pub root: u64,
    /// The chain's `Clock.unix_timestamp`, seconds.
    pub chain_time: Option<i64>,
    /// When `chain_time` and its slot were read.
    pub read_at: Option<Instant>,
    /// When the node last said anything on the websocket.
    pub last_frame: Option<Instant>,
    /// What is wrong at the moment, as a sentence.
    pub error: Option<String>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            conn: Conn::Connecting,
            slot: 0,
            root: 0,
            chain_time: None,
            read_at: None,
            last_frame: None,
            error: None,
        }
    }
}
