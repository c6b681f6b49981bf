//! Maps errors of sqlx and of the server to [`StoreError`].
use std::time::Duration;

use sqlx::migrate::MigrateError;

use crate::store::{SCHEMA, StoreError};

/// Result of the functions that talk to Postgres.
pub type PostgresResult<T> = std::result::Result<T, PostgresFault>;

/// Why a transaction failed.
#[derive(Debug)]
pub enum PostgresFault {
    /// An error of sqlx or of the server.
    Sql(sqlx::Error),
    /// An error that already names the store.
    Store(StoreError),
    /// The database holds something that this program never writes.
    Corrupt(String),
    /// A schema that this build cannot bring up to date.
    Schema(String),
    /// The server did not answer within this time.
    Silent(Duration),
    /// A newer run has begun; its owner.
    Fenced(String),
    /// Another owner holds the lease, for this long.
    Leased(String, Duration),
    /// The sender of a first load's rows stopped before the end.
    Unended,
}

impl From<sqlx::Error> for PostgresFault {
    fn from(e: sqlx::Error) -> Self {
        Self::Sql(e)
    }
}

impl From<StoreError> for PostgresFault {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl PostgresFault {
    /// The fault for a failed migration.
    pub fn from_migration(e: MigrateError) -> Self {
        match e {
            MigrateError::Execute(e) => Self::Sql(e),
            other => Self::Schema(other.to_string()),
        }
    }

    /// The error text's parts: the store's `place`, and `what` the transaction wrote, if it wrote.
    pub fn at(self, place: &str, what: Option<&'static str>) -> StoreError {
        let place = place.to_owned();
        match self {
            Self::Store(e) => e,
            Self::Corrupt(detail) => StoreError::Corrupt { place, detail },
            Self::Schema(detail) => StoreError::NotAStore {
                place,
                detail: format!("its schema could not be brought to number {SCHEMA}: {detail}"),
            },
            Self::Silent(limit) => StoreError::Unavailable {
                place,
                detail: format!("it has said nothing for {} seconds", limit.as_secs()),
            },
            Self::Fenced(owner) => StoreError::Fenced { place, owner },
            Self::Leased(owner, left) => StoreError::Leased { place, owner, left },
            Self::Unended => StoreError::Unavailable {
                place,
                detail: "the first load was given up before its end".to_owned(),
            },
            Self::Sql(e) => sql(&e, place, what),
        }
    }
}

/// The server's message, else the driver's. The driver's own Display would append a line number of the
/// server's source code.
fn words(e: &sqlx::Error) -> String {
    match e.as_database_error() {
        Some(said) => said.message().to_owned(),
        None => e.to_string(),
    }
}

fn sql(e: &sqlx::Error, place: String, what: Option<&'static str>) -> StoreError {
    let code = e.as_database_error().and_then(|d| d.code()).map(|code| code.into_owned());
    let detail = match (e, code.as_deref()) {
        (sqlx::Error::PoolTimedOut, _) => "no connection could be had within 5 seconds".to_owned(),
        (_, Some("55P03")) => {
            format!(
                "another user holds what is needed, or its first load is running ({})",
                words(e)
            )
        }
        _ => words(e),
    };
    match (e, code.as_deref(), what) {
        // Invalid authorization specification, and a wrong password.
        (_, Some("28000" | "28P01"), _) => StoreError::LoginRefused { place, detail },
        // No right to do this.
        (_, Some("42501"), Some(what)) => StoreError::ReadOnly { place, what },
        // "Read-only transaction": the server refuses writes at the moment. A read-only user never gets
        // here.
        (_, Some("25006"), Some(what)) => StoreError::Paused { place, what, detail },
        (sqlx::Error::ColumnDecode { .. }, ..) => StoreError::Corrupt { place, detail },
        // Integrity constraint violation, data exception.
        (_, Some(code), _) if code.starts_with("23") || code.starts_with("22") => {
            StoreError::Corrupt { place, detail }
        }
        _ => StoreError::Unavailable { place, detail },
    }
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, error::Error, fmt};

    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    /// A code and a message of the server, printed as the driver prints them.
    #[derive(Debug)]
    struct ServerError(&'static str, &'static str);

    impl fmt::Display for ServerError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} at line 334", self.1)
        }
    }

    impl Error for ServerError {}

    impl DatabaseError for ServerError {
        fn message(&self) -> &str {
            self.1
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    #[test]
    fn refused_logins_have_their_own_error_and_no_server_source_line_is_shown() {
        let error_for = |code, message| {
            let error = sqlx::Error::Database(Box::new(ServerError(code, message)));
            PostgresFault::from(error).at("host:5432/mirror", None)
        };
        for (code, message) in [
            ("28P01", "password authentication failed for user \"bob\""),
            ("28000", "role \"bob\" does not exist"),
        ] {
            let error = error_for(code, message);
            let text = error.to_string();
            assert!(text.contains("refused the login") && text.contains(message), "{text}");
            assert!(!text.contains("does not answer") && !text.contains("line"), "{text}");
            assert!(error.is_transient(), "a running indexer waits until it is let in");
        }
        let text = error_for("3D000", "database \"mirror\" does not exist").to_string();
        assert!(text.contains("does not exist") && !text.contains("line"), "{text}");
        let text = error_for("55P03", "canceling statement due to lock timeout").to_string();
        assert!(text.contains("lock timeout") && !text.contains("line"), "{text}");
    }
}
