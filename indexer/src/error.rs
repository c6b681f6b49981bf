//! What can go wrong while mirroring, as sentences for the operator.
use crate::{
    source::{fault::Fault, socket::Reason},
    store::StoreError,
};

/// Result of the indexer's functions.
pub type Result<T, E = IndexerError> = std::result::Result<T, E>;

/// What can go wrong while mirroring. No variant carries the query part of an RPC address.
#[derive(Debug, thiserror::Error)]
pub enum IndexerError {
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An RPC call failed.
    #[error("The RPC node at {url} did not answer {method}: {detail}. {}", fault.advice())]
    Rpc {
        /// Scheme and host.
        url: String,
        /// The method.
        method: &'static str,
        /// What kind of fault it is.
        fault: Fault,
        /// The node's words.
        detail: String,
    },
    /// The websocket failed.
    #[error("The websocket at {url} {what}. Check --ws-url; the indexer keeps trying.")]
    Socket {
        /// Scheme and host.
        url: String,
        /// What kind of end it is.
        reason: Reason,
        /// What it did, for example "closed with code 1006".
        what: String,
    },
    /// The node's newest state is older than the mirror.
    #[error(
        "The RPC node at {url} is at slot {slot}, behind slot {seen} that the mirror has seen. Wait until it has caught up, or use another node."
    )]
    Behind {
        /// Scheme and host.
        url: String,
        /// Where the node is.
        slot: u64,
        /// Where the mirror is.
        seen: u64,
    },
    /// The node lists a transaction and does not have it any more.
    #[error(
        "The RPC node at {url} lists transaction {signature} of slot {slot} but no longer has it: getTransaction finds nothing. The audit log stops before it, so that it has no hole. Use a node that keeps the whole history."
    )]
    Pruned {
        /// Scheme and host.
        url: String,
        /// The transaction.
        signature: String,
        /// Its slot.
        slot: u64,
    },
    /// A recording cannot be played.
    #[error(
        "Line {line} of the recording cannot be played: {detail}. Play a whole recording of this build into a new store."
    )]
    Recording {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// A file, or where output goes, failed.
    #[error(
        "{what} failed: {detail}. Check that it exists, that there is room and that you may use it."
    )]
    File {
        /// What was done with what, as the start of a sentence.
        what: String,
        /// The system's words.
        detail: String,
    },
    /// A snapshot lacks so many accounts that it is not believed.
    #[error(
        "The RPC node at {url} returned {seen} of the {known} manager accounts in the mirror, so nothing was marked as closed. The node may be cutting its answers short; use another one if this stays."
    )]
    Suspect {
        /// Scheme and host.
        url: String,
        /// Accounts it returned.
        seen: u64,
        /// Live accounts in the mirror.
        known: u64,
    },
    /// The node changed its cluster while the indexer ran.
    #[error(
        "The RPC node at {url} now belongs to the cluster {given}; it was {stored} before. The mirror was left as it is. Restart with the right --rpc-url or another --database-url."
    )]
    ClusterChanged {
        /// Scheme and host.
        url: String,
        /// The cluster before.
        stored: String,
        /// The cluster now.
        given: String,
    },
}

impl IndexerError {
    /// Whether trying again later can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(e) => e.is_transient(),
            Self::ClusterChanged { .. } | Self::File { .. } | Self::Recording { .. } => false,
            _ => true,
        }
    }
}
