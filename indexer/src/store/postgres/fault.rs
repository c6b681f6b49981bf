//! From the driver's errors to ours.
use sqlx::migrate::MigrateError;

use crate::store::{SCHEMA, StoreError};

/// What a transaction can fail with.
#[derive(Debug)]
pub enum Fault {
    /// The driver's own error.
    Sql(sqlx::Error),
    /// One of ours.
    Store(StoreError),
    /// Something in the database that was never written by us.
    Corrupt(String),
    /// A schema that this build cannot bring up to date.
    Schema(String),
}

impl From<sqlx::Error> for Fault {
    fn from(e: sqlx::Error) -> Self {
        Self::Sql(e)
    }
}

impl From<StoreError> for Fault {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl Fault {
    /// A failed migration.
    pub fn from_migration(e: MigrateError) -> Self {
        match e {
            MigrateError::Execute(e) => Self::Sql(e),
            other => Self::Schema(other.to_string()),
        }
    }

    /// The error with the store's `place`.
    pub fn at(self, place: &str) -> StoreError {
        let place = place.to_owned();
        match self {
            Self::Store(e) => e,
            Self::Corrupt(detail) => StoreError::Corrupt { place, detail },
            Self::Schema(detail) => StoreError::NotAStore {
                place,
                detail: format!("its schema could not be brought to number {SCHEMA}: {detail}"),
            },
            Self::Sql(e) => {
                let detail = e.to_string();
                let class = e.as_database_error().and_then(|d| d.code());
                match (&e, class.as_deref().map(|code| code.get(..2).unwrap_or_default())) {
                    // Integrity constraint violation, data exception.
                    (_, Some("23" | "22")) | (sqlx::Error::ColumnDecode { .. }, _) => {
                        StoreError::Corrupt { place, detail }
                    }
                    (sqlx::Error::PoolTimedOut, _) => StoreError::Unavailable {
                        place,
                        detail: "no connection could be had within 5 seconds".to_owned(),
                    },
                    _ => StoreError::Unavailable { place, detail },
                }
            }
        }
    }
}
