//! Errors of a store, as sentences for the operator.

use solana_pubkey::Pubkey;

/// Result of a store's method.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// An error of a store. No variant carries a password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened, or the server does not answer.
    #[error(
        "The store at {place} does not answer: {detail}. Check that it exists, that it runs and that you may use it."
    )]
    Unavailable {
        /// Path, or host and database.
        place: String,
        /// The driver's words.
        detail: String,
    },
    /// The server refused the login.
    #[error(
        "The database at {place} refused the login: {detail}. Check user and password in --database-url or database_url, and that the server lets this user connect from here."
    )]
    LoginRefused {
        /// Host and database.
        place: String,
        /// The server's words.
        detail: String,
    },
    /// The address of the database cannot be parsed.
    #[error(
        "The database address cannot be used: {detail}. Expected postgres://user:password@host:port/database."
    )]
    Address {
        /// The driver's words.
        detail: String,
    },
    /// The file or database is not a store.
    #[error("{place} is not a store of the control room: {detail}. Choose another file.")]
    NotAStore {
        /// Path, or host and database.
        place: String,
        /// The driver's words.
        detail: String,
    },
    /// A newer control room has changed the schema.
    #[error(
        "The store at {place} has schema {found}, newer than schema {known} that this build knows. Use a newer control room, or another store."
    )]
    NewerSchema {
        /// Path, or host and database.
        place: String,
        /// The schema in the store.
        found: i64,
        /// The newest this build knows.
        known: i64,
    },
    /// The store mirrors another cluster.
    #[error(
        "The store at {place} mirrors the cluster with genesis hash {stored}, but the RPC node belongs to {given}. Point --rpc-url at the first cluster, or choose another --database-url."
    )]
    WrongCluster {
        /// Path, or host and database.
        place: String,
        /// The cluster in the store.
        stored: String,
        /// The cluster of the node.
        given: String,
    },
    /// The store mirrors another manager program.
    #[error(
        "The store at {place} mirrors the manager program {stored}, not {given}. Choose another --database-url."
    )]
    WrongProgram {
        /// Path, or host and database.
        place: String,
        /// The program in the store.
        stored: String,
        /// The program asked for.
        given: String,
    },
    /// Another indexer writes this store.
    #[error(
        "The store at {place} is written by {owner}, whose lease runs for another {} s. Stop that one first, or let this one follow it.", left.as_secs().saturating_add(1)
    )]
    Leased {
        /// Path, or host and database.
        place: String,
        /// Who.
        owner: String,
        /// What is left of its lease.
        left: std::time::Duration,
    },
    /// Another indexer has taken this store over.
    #[error(
        "The store at {place} was taken over by {owner}: what this run of the indexer had to write was not written. Only one may write a store at a time; an indexer that keeps running stands by and goes on once the other has ended."
    )]
    Fenced {
        /// Path, or host and database.
        place: String,
        /// Who.
        owner: String,
    },
    /// This process may only read the store.
    #[error(
        "The store at {place} may only be read by this user, so {what} was not written. Use an account that may write, where that is meant."
    )]
    ReadOnly {
        /// Path, or host and database.
        place: String,
        /// What.
        what: &'static str,
    },
    /// The server refuses every write for now: it is a standby server, or it was set to read-only.
    #[error(
        "The store at {place} takes no writes at the moment, so {what} was not written: {detail}. An indexer that keeps running tries again by itself; if this stays, look at the database."
    )]
    Paused {
        /// Path, or host and database.
        place: String,
        /// What.
        what: &'static str,
        /// The driver's words.
        detail: String,
    },
    /// A role that must not become the read-only role.
    #[error("The role {role:?} cannot be the one that only reads: {why}.")]
    Role {
        /// Its name.
        role: String,
        /// Why not.
        why: String,
    },
    /// The store holds something that this program never writes.
    #[error(
        "The store at {place} holds something that it should not: {detail}. Move it away and start again: the mirror rebuilds itself from the chain."
    )]
    Corrupt {
        /// Path, or host and database.
        place: String,
        /// What.
        detail: String,
    },
}

impl StoreError {
    /// Compares the program and cluster `stored` at `place` ([`None`] before the first run) with the
    /// `given` ones.
    ///
    /// # Errors
    /// [`Self::WrongProgram`] or [`Self::WrongCluster`].
    pub(crate) fn check_identity(
        place: &str,
        stored: (Option<&[u8]>, Option<&[u8]>),
        given: (&Pubkey, &[u8; 32]),
    ) -> Result<()> {
        let base58 = |bytes: &[u8]| bs58::encode(bytes).into_string();
        let place = place.to_owned();
        match stored {
            (Some(program), _) if program != given.0.as_ref() => {
                let (stored, given) = (base58(program), given.0.to_string());
                Err(Self::WrongProgram { place, stored, given })
            }
            (_, Some(genesis)) if genesis != given.1 => {
                let (stored, given) = (base58(genesis), base58(given.1));
                Err(Self::WrongCluster { place, stored, given })
            }
            _ => Ok(()),
        }
    }

    /// Whether a retry can help. A refused login counts: the password can be corrected at the server
    /// while an indexer runs.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::LoginRefused { .. } | Self::Paused { .. })
    }
}
