//! Errors of the mirror, as sentences for the operator.
use crate::{
    source::{close_reason::CloseReason, fault::RpcFault},
    store::StoreError,
};

/// Result of the indexer's functions.
pub type Result<T, E = IndexerError> = std::result::Result<T, E>;

/// An error of the mirror. No variant carries the query part of an RPC address.
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
        fault: RpcFault,
        /// The node's words.
        detail: String,
    },
    /// The websocket failed.
    #[error("The websocket at {url} {what}. Check --ws-url; the indexer keeps trying.")]
    Socket {
        /// Scheme and host.
        url: String,
        /// What kind of end it is.
        reason: CloseReason,
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
    /// The node lists a transaction that it no longer has.
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
    /// The node lists a transaction that cannot be read.
    #[error(
        "Transaction {signature} of slot {slot}, which the RPC node at {url} lists, cannot be read: {detail}. The audit log stops before it, so that it has no hole; accounts are mirrored all the same. {}", fault.advice()
    )]
    Unread {
        /// Scheme and host.
        url: String,
        /// The transaction.
        signature: String,
        /// Its slot.
        slot: u64,
        /// What kind of fault it is.
        fault: RpcFault,
        /// What is wrong, in the node's words or ours.
        detail: String,
    },
    /// The process that writes the store has noted why the audit log is incomplete.
    #[error("The audit log is not complete: {detail}")]
    Incomplete {
        /// Its reason, as a sentence.
        detail: String,
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
    /// Reading a file or writing output failed.
    #[error(
        "{what} failed: {detail}. Check that it exists, that there is room and that you may use it."
    )]
    File {
        /// The operation and its object, as the start of a sentence.
        what: String,
        /// The system's words.
        detail: String,
    },
    /// The node refuses to list accounts, so the mirror read its known accounts by address.
    #[error(
        "The RPC node at {url} refuses to list the manager's accounts, so only those that the mirror knows were read again: a new one that the websocket missed stays unknown. Use a node that answers getProgramAccounts or getProgramAccountsV2."
    )]
    Unlisted {
        /// Scheme and host.
        url: String,
    },
    /// A list of accounts left out some that exist.
    #[error(
        "The RPC node at {url} cuts its list of accounts short: it listed {listed} and left out {left_out} that it returned when asked by address. Those were read that way and none of them was closed; an account that neither the list nor the mirror holds stays unknown. Use another node, or one that answers getProgramAccountsV2."
    )]
    Truncated {
        /// Scheme and host.
        url: String,
        /// Accounts in the list.
        listed: u64,
        /// Accounts that exist and were not in it.
        left_out: u64,
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
    /// More arrived than the store could take.
    #[error(
        "The node told of more than the store could take: {accounts} accounts with {bytes} bytes wait. The connection was ended on purpose, and everything is read again. If this stays, the database is too slow."
    )]
    Overrun {
        /// Accounts that waited.
        accounts: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// A subscription that sends no changes any more.
    #[error(
        "The websocket at {url} tells of slots, but not of changes: {accounts} accounts differ from the mirror. The connection was ended, and everything is read again."
    )]
    Deaf {
        /// Scheme and host.
        url: String,
        /// Accounts that differ.
        accounts: usize,
    },
    /// The node names a slot that the chain cannot have reached.
    #[error(
        "The RPC node at {url} speaks of slot {slot}, while the chain is near slot {known}. What it says is not believed; use another node."
    )]
    Implausible {
        /// Scheme and host.
        url: String,
        /// The slot.
        slot: u64,
        /// The newest slot known.
        known: u64,
    },
    /// One run has used all its sequence numbers, or has lost the lease.
    #[error("This run has numbered all messages it can. A new run begins by itself.")]
    UsedUp,
    /// A store could not be filled at once.
    #[error(
        "The store could not be filled at once. Everything is read again and written in parts."
    )]
    NotFilled,
    /// Another process writes the store and has not got as far as it should.
    #[error(
        "The mirror is written by {writer}, which was at slot {slot} and did not get to slot {wanted} within {} s. Look at that process, or stop it and try again.",
        waited.as_secs()
    )]
    WriterBehind {
        /// Who, or nobody.
        writer: String,
        /// Newest slot whose changes are in the store.
        slot: u64,
        /// The slot that was waited for.
        wanted: u64,
        /// How long.
        waited: std::time::Duration,
    },
}

impl IndexerError {
    /// Whether a retry can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(e) => e.is_transient(),
            Self::ClusterChanged { .. }
            | Self::File { .. }
            | Self::Recording { .. }
            | Self::WriterBehind { .. } => false,
            _ => true,
        }
    }

    /// Whether this node cannot supply the finalised history, however often it is asked.
    #[must_use]
    pub fn stops_history(&self) -> bool {
        match self {
            Self::Pruned { .. } | Self::Unread { .. } => true,
            Self::Rpc { fault, .. } => matches!(
                fault,
                RpcFault::Garbled
                    | RpcFault::MethodMissing
                    | RpcFault::LongTermMissing
                    | RpcFault::NewerVersion
            ),
            _ => false,
        }
    }

    /// Its label in metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Rpc { fault, .. } => fault.label(),
            Self::Socket { reason, .. } => reason.label(),
            Self::Behind { .. } => "behind",
            Self::Pruned { .. } => "pruned",
            Self::Unread { .. } => "unread",
            Self::Incomplete { .. } => "incomplete",
            Self::File { .. } => "file",
            Self::Recording { .. } => "recording",
            Self::Truncated { .. } => "truncated",
            Self::Unlisted { .. } => "unlisted",
            Self::ClusterChanged { .. } => "cluster",
            Self::Overrun { .. } => "overrun",
            Self::Deaf { .. } => "deaf",
            Self::Implausible { .. } => "implausible",
            Self::UsedUp => "used_up",
            Self::NotFilled => "not_filled",
            Self::WriterBehind { .. } => "writer_behind",
        }
    }
}
