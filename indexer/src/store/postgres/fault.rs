//! From the driver's errors to ours.
use std::time::Duration;

use sqlx::migrate::MigrateError;

use crate::store::{SCHEMA, StoreError};

/// Result of the functions that talk to Postgres.
pub type PostgresResult<T> = std::result::Result<T, PostgresFault>;

/// What a transaction can fail with.
#[derive(Debug)]
pub enum PostgresFault {
    /// The driver's own error.
    Sql(sqlx::Error),
    /// One of ours.
    Store(StoreError),
    /// Something in the database that was never written by us.
    Corrupt(String),
    /// A schema that this build cannot bring up to date.
    Schema(String),
    /// Nothing came back for so long.
    Silent(Duration),
    /// Another run, of this owner, has begun.
    Fenced(String),
    /// Another owner's lease runs.
    Leased(String, Duration),
    /// Whoever sends the rows of a first load ended before it was complete.
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
    /// A failed migration.
    pub fn from_migration(e: MigrateError) -> Self {
        match e {
            MigrateError::Execute(e) => Self::Sql(e),
            other => Self::Schema(other.to_string()),
        }
    }

    /// The error with the store's `place` and `what` was to be written, if anything was.
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

fn sql(e: &sqlx::Error, place: String, what: Option<&'static str>) -> StoreError {
    let code = e.as_database_error().and_then(|d| d.code()).map(|code| code.into_owned());
    let detail = match (e, code.as_deref()) {
        (sqlx::Error::PoolTimedOut, _) => "no connection could be had within 5 seconds".to_owned(),
        (_, Some("55P03")) => {
            format!("another user holds what is needed, or its first load is running ({e})")
        }
        _ => e.to_string(),
    };
    match (e, code.as_deref(), what) {
        // No right to do this.
        (_, Some("42501"), Some(what)) => StoreError::ReadOnly { place, what },
        // Not in a read-only transaction: a user who may only read never gets here.
        (_, Some("25006"), Some(what)) => StoreError::Paused { place, what, detail },
        (sqlx::Error::ColumnDecode { .. }, ..) => StoreError::Corrupt { place, detail },
        // Integrity constraint violation, data exception.
        (_, Some(code), _) if code.starts_with("23") || code.starts_with("22") => {
            StoreError::Corrupt { place, detail }
        }
        _ => StoreError::Unavailable { place, detail },
    }
}
