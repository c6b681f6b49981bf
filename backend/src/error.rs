//! Every error of the backend as a sentence for the operator: what failed, on which account, what to do
//! next. No variant carries key material.
use std::{path::PathBuf, time::Duration};

use solana_pubkey::Pubkey;

use crate::failure::Failure;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, BackendError>;

/// Why the backend could not or would not do something.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The node cannot be reached.
    #[error(
        "The RPC node {url} does not answer: {reason}. Check the address and the network, then try again."
    )]
    Unreachable {
        /// The node's address without access keys.
        url: String,
        /// The error of the connection.
        reason: String,
    },
    /// The node took longer than the configured time.
    #[error(
        "The RPC node {url} did not answer within {timeout:?}. Try again, or use a faster node."
    )]
    Slow {
        /// The node's address without access keys.
        url: String,
        /// The configured time.
        timeout: Duration,
    },
    /// The node refuses because of too many requests.
    #[error(
        "The RPC node {url} refuses because of too many requests (HTTP 429). Wait a minute, or use a node with a higher limit."
    )]
    RateLimited {
        /// The node's address without access keys.
        url: String,
    },
    /// The node is on another cluster than the one expected.
    #[error(
        "The RPC node {url} is on the cluster with genesis {found}, but {expected} is expected. Nothing is signed there; check the address."
    )]
    WrongCluster {
        /// The node's address without access keys.
        url: String,
        /// Its genesis hash.
        found: String,
        /// The expected one.
        expected: String,
    },
    /// The node answered with an error of its own.
    #[error("The RPC node refused {method}: {message} (code {code}).")]
    Rpc {
        /// The RPC method.
        method: String,
        /// JSON-RPC error code.
        code: i64,
        /// The node's message.
        message: String,
    },
    /// The node's answer could not be read.
    #[error("The RPC node's answer to {method} could not be read: {reason}. Use another node.")]
    BadAnswer {
        /// The RPC method.
        method: String,
        /// Why.
        reason: String,
    },
    /// An account that must exist does not.
    #[error("There is no {what} at {address}. Check the address and the cluster.")]
    NoAccount {
        /// The kind of account.
        what: &'static str,
        /// Where.
        address: Pubkey,
    },
    /// An account is owned by another program than expected.
    #[error(
        "The {what} {address} is owned by {found}, not by {expected}. It is not what it claims to be; do not sign."
    )]
    ForeignOwner {
        /// The kind of account it should be.
        what: &'static str,
        /// Where.
        address: Pubkey,
        /// Its owner.
        found: Pubkey,
        /// The owner it should have.
        expected: Pubkey,
    },
    /// An account of the manager is of another kind than expected.
    #[error("{address} is a {found}; here the address of a {needed} is needed.")]
    OtherKind {
        /// The kind of account it should be.
        needed: &'static str,
        /// Where.
        address: Pubkey,
        /// The kind of account it is.
        found: &'static str,
    },
    /// An account's bytes cannot be used.
    #[error(
        "The {what} {address} cannot be read: {reason}. The node may have cut it short, or the program may be newer than this tool."
    )]
    BadAccount {
        /// The kind of account it should be.
        what: &'static str,
        /// Where.
        address: Pubkey,
        /// Why.
        reason: String,
    },
    /// An account's content derives another address than the one it was read from.
    #[error(
        "The {what} at {address} belongs at {own}: the RPC node mixes accounts up, or lies. Use another node."
    )]
    Misplaced {
        /// The kind of account it should be.
        what: &'static str,
        /// The address at which the node shows it.
        address: Pubkey,
        /// The address that its content derives.
        own: Pubkey,
    },
    /// A key file cannot be used.
    #[error("The key file {path} cannot be used: {reason}.", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why, never its content.
        reason: String,
    },
    /// Signing failed.
    #[error("The key {signer} could not sign: {reason}.")]
    Signing {
        /// The key's address.
        signer: Pubkey,
        /// Why.
        reason: String,
    },
    /// No key is loaded.
    #[error("No key is loaded, so nothing can be signed. Start with --keypair.")]
    NoSigner,
    /// Something differs from what the operator was shown, before anything was signed.
    #[error("Refused, nothing was signed: {0}. Look at the proposal again.")]
    Changed(String),
    /// A rule forbids it, before anything was signed.
    #[error("Refused, nothing was signed: {0}")]
    Refused(String),
    /// The node failed while the chain was read again, before anything was signed.
    #[error("Nothing was signed. {0}")]
    Unsigned(Box<BackendError>),
    /// A long job cannot go on; transactions may have been sent before.
    #[error("Stopped: {0}")]
    Stopped(String),
    /// The transaction needs the signature of a key that is not loaded.
    #[error(
        "The transaction needs the signature of {signer}, whose key is not loaded, so it was not sent. Load that key with --keypair, then run the command again."
    )]
    MissingKey {
        /// The key's address.
        signer: Pubkey,
    },
    /// A transaction failed, in simulation or on chain.
    #[error("{what} failed: {failure}")]
    Transaction {
        /// The name of the transaction.
        what: String,
        /// The transaction's error as a sentence, and what is at fault.
        failure: Failure,
        /// Its signature when it was sent.
        signature: Option<String>,
        /// Its log, if known.
        logs: Vec<String>,
    },
    /// The node refused a transaction, and no earlier broadcast can have been accepted.
    #[error(
        "{what}: the RPC node did not take the transaction {signature}: {reason}. Put that right or use another node; `control-room tx {signature}` tells whether it landed all the same."
    )]
    NotTaken {
        /// The name of the transaction.
        what: String,
        /// Its signature.
        signature: String,
        /// The node's message.
        reason: String,
    },
    /// A transaction was sent, and it is proved that no block includes it or ever will.
    #[error(
        "{what}: the transaction {signature} was not included, and no block can include it any more: finalized blocks are past the end of its blockhash. It changed nothing; try again{hint}."
    )]
    Dropped {
        /// The name of the transaction.
        what: String,
        /// Its signature.
        signature: String,
        /// A likely reason as a second sentence, or nothing.
        hint: String,
    },
    /// A transaction was sent and its outcome could not be learnt.
    #[error(
        "{what}: the outcome of transaction {signature} is not known: {reason}. It may have landed, or may still land. Before trying again, run `control-room tx {signature}` with the same --rpc-url, which looks again."
    )]
    Unknown {
        /// The name of the transaction.
        what: String,
        /// Its signature.
        signature: String,
        /// Why.
        reason: String,
    },
    /// A transaction is too large for one packet.
    #[error(
        "{what} does not fit into one transaction: {bytes} bytes, at most {limit} are allowed."
    )]
    TooLarge {
        /// The name of the transaction.
        what: String,
        /// Serialised size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The archive cannot be written or read.
    #[error("The archive {path} cannot be used: {reason}. Put that right, then run the same command again.", path = path.display())]
    Archive {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// An ELF file cannot be used.
    #[error("The program file {path} cannot be used: {reason}.", path = path.display())]
    Elf {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A number left its range.
    #[error("A number left its range while {0}. Report this.")]
    Range(&'static str),
}

impl BackendError {
    /// The same error from inside a job, which may have sent transactions: it no longer claims that nothing
    /// was signed. Everything that signs more than once passes its errors through here.
    #[must_use]
    pub(crate) fn within_job(self) -> Self {
        match self {
            Self::Refused(reason) => Self::Stopped(reason),
            Self::Changed(reason) => Self::Stopped(format!("{reason}.")),
            other => other,
        }
    }

    /// The same error from between the operator's confirmation and the first signature: it says that nothing
    /// was signed. An error after the first signature must not pass through here.
    #[must_use]
    pub(crate) fn before_signing(self) -> Self {
        match self {
            Self::Unreachable { .. }
            | Self::Slow { .. }
            | Self::RateLimited { .. }
            | Self::Rpc { .. }
            | Self::BadAnswer { .. } => Self::Unsigned(Box::new(self)),
            other => other,
        }
    }

    /// What failed, without the advice of [`std::fmt::Display`], for a sentence with other advice, such as
    /// not to try again before looking the transaction up.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Unreachable { url, reason } => {
                format!("the RPC node {url} does not answer: {reason}")
            }
            Self::Slow { url, timeout } => {
                format!("the RPC node {url} did not answer within {timeout:?}")
            }
            Self::RateLimited { url } => {
                format!("the RPC node {url} refuses because of too many requests (HTTP 429)")
            }
            Self::BadAnswer { method, reason } => {
                format!("the RPC node's answer to {method} could not be read: {reason}")
            }
            Self::NotTaken { reason, .. } => {
                format!("the RPC node did not take it again: {reason}")
            }
            Self::Unsigned(error) => error.cause(),
            other => other.to_string(),
        }
    }

    /// Whether the network is at fault, so that the same request can succeed later without any change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Slow { .. }
            | Self::RateLimited { .. }
            | Self::Dropped { .. }
            | Self::BadAnswer { .. } => true,
            Self::Unsigned(error) => error.is_transient(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_an_unknown_outcome_does_not_advise_to_try_again() {
        let (url, timeout) = ("http://node".to_owned(), std::time::Duration::from_secs(20));
        for error in [
            BackendError::Slow { url: url.clone(), timeout },
            BackendError::RateLimited { url: url.clone() },
            BackendError::Unreachable { url, reason: "reset".into() },
            BackendError::BadAnswer { method: "getEpochInfo".into(), reason: "cut".into() },
        ] {
            let cause = error.cause();
            for advice in ["ry again", "Wait", "Use another", "use a"] {
                assert!(!cause.contains(advice), "{cause}");
            }
        }
    }

    #[test]
    fn a_job_that_may_have_sent_something_does_not_say_that_nothing_was_signed() {
        for error in
            [BackendError::Refused("no room.".into()), BackendError::Changed("the key".into())]
        {
            assert!(error.to_string().contains("nothing was signed"));
            let said = error.within_job().to_string();
            assert!(said.starts_with("Stopped: ") && !said.contains("othing was signed"), "{said}");
        }
    }

    #[test]
    fn an_rpc_error_before_the_first_signature_says_that_nothing_was_signed() {
        let slow =
            BackendError::Slow { url: "http://node".into(), timeout: Duration::from_secs(20) };
        let error = slow.before_signing();
        assert_eq!(
            error.to_string(),
            "Nothing was signed. The RPC node http://node did not answer within 20s. Try again, or \
             use a faster node."
        );
        assert!(error.is_transient());
        assert_eq!(error.cause(), "the RPC node http://node did not answer within 20s");
        // An error from after signing is left as it is.
        let unknown = BackendError::Unknown {
            what: "approve".into(),
            signature: "s".into(),
            reason: "r".into(),
        };
        assert!(!unknown.before_signing().to_string().contains("othing was signed"));
    }

    #[test]
    fn errors_that_can_occur_within_a_job_do_not_say_that_nothing_happened() {
        let path = PathBuf::from("/archive");
        let (address, own) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        for error in [
            BackendError::Archive { path, reason: "the disk is full".into() },
            BackendError::Misplaced { what: "record", address, own },
            BackendError::MissingKey { signer: own },
        ] {
            let said = error.to_string();
            for claim in ["othing was", "No account", "safe to"] {
                assert!(!said.contains(claim), "{said}");
            }
        }
    }
}
