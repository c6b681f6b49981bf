//! Administration of a shared database: reads the schema's number, migrates it, and creates the
//! read-only role of control rooms. Touches no mirrored row.
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};

use super::{
    PostgresStore,
    connect::{ACQUIRE_TIMEOUT, QUERY_TIMEOUT, made, within},
    fault::PostgresFault,
    options,
};
use crate::store::{Result, StoreError};

/// Longest identifier that Postgres does not truncate, in bytes.
const MAX_NAME_LEN: usize = 63;

/// Number of the schema in the database at `url`; [`None`] in an empty database. Changes nothing.
///
/// # Errors
/// [`StoreError::Address`], [`StoreError::Unavailable`].
pub async fn schema(url: &str) -> Result<Option<i64>> {
    let (options, place) = options(url)?;
    let found = async {
        let mut connection = open(&options).await?;
        within(QUERY_TIMEOUT, made(&mut connection)).await
    };
    let made = found.await.map_err(|fault| fault.at(&place, None))?;
    Ok(made.map(|made| made.iter().map(|(number, _)| *number).max().unwrap_or(0)))
}

/// Schema numbers before and after a migration; 0 is an empty database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Number before the migration.
    pub from: i64,
    /// Number after it.
    pub to: i64,
}

/// Brings the schema of the database at `url` up to date.
///
/// # Errors
/// As [`PostgresStore::connect`]; [`StoreError::ReadOnly`] for a user who may only read.
pub async fn migrate(url: &str) -> Result<Migrated> {
    let from = schema(url).await?.unwrap_or(0);
    let store = PostgresStore::connect(url).await?;
    if store.connections.read_only {
        return Err(StoreError::ReadOnly { place: store.place, what: "the schema" });
    }
    let to = schema(url).await?.unwrap_or(0);
    Ok(Migrated { from, to })
}

/// What [`grant_reader`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Whether the role is new; a new role has no password yet.
    pub created: bool,
}

/// Grants `role` read access to the mirror at `url` and nothing else: its transactions are read-only,
/// and its statements end after 2 seconds unless the client raises the limit. Creates a missing role.
/// Must be called again after a migration.
///
/// # Errors
/// [`StoreError::Role`] for a name or a role that must not be used; as [`schema`].
pub async fn grant_reader(url: &str, role: &str) -> Result<Granted> {
    let (options, place) = options(url)?;
    let refused = |why: &str| StoreError::Role { role: role.to_owned(), why: why.to_owned() };
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if role.is_empty() || role.len() > MAX_NAME_LEN || !role.chars().all(is_word) {
        return Err(refused("only letters, digits and underscores can be in its name"));
    }
    if role.starts_with("pg_") || role == "public" {
        return Err(refused("it belongs to Postgres itself"));
    }
    let done = async {
        let mut connection = open(&options).await?;
        within(QUERY_TIMEOUT, grant(&mut connection, role)).await
    };
    match done.await.map_err(|fault| fault.at(&place, Some("the role")))? {
        Ok(granted) => Ok(granted),
        Err(why) => Err(refused(why)),
    }
}

async fn open(options: &PgConnectOptions) -> Result<PgConnection, PostgresFault> {
    within(ACQUIRE_TIMEOUT, async { Ok(PgConnection::connect_with(options).await?) }).await
}

/// The inner error says why `role` must not be used.
async fn grant(
    connection: &mut PgConnection,
    role: &str,
) -> Result<Result<Granted, &'static str>, PostgresFault> {
    let mut tx = connection.begin().await?;
    let at = sqlx::query(
        "SELECT quote_ident(current_database()), quote_ident(n.nspname), pg_get_userbyid(c.relowner)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid = to_regclass('accounts')",
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(at) = at else { return Ok(Err("there is no mirror in this database yet")) };
    let (database, schema, owner) =
        (at.try_get::<String, _>(0)?, at.try_get::<String, _>(1)?, at.try_get::<String, _>(2)?);
    // Made read-only, the indexer's own role could not write the mirror any more.
    let writes: Option<bool> = sqlx::query_scalar(
        "SELECT rolsuper OR rolname = current_user OR pg_has_role(oid, $2, 'MEMBER')
         FROM pg_roles WHERE rolname = $1",
    )
    .bind(role)
    .bind(owner)
    .fetch_optional(&mut *tx)
    .await?;
    if writes == Some(true) {
        return Ok(Err("it may write the mirror; name another role"));
    }
    let created = writes.is_none();
    // Safe to format into SQL: `grant_reader` checked the role's name, the server quoted the others.
    let role = format!("\"{role}\"");
    let create = if created { format!("CREATE ROLE {role} LOGIN;") } else { String::new() };
    let sql = format!(
        "{create}
        REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role};
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role};
        REVOKE CREATE ON SCHEMA {schema} FROM {role};
        GRANT CONNECT ON DATABASE {database} TO {role};
        GRANT USAGE ON SCHEMA {schema} TO {role};
        GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};
        ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role};
        ALTER ROLE {role} IN DATABASE {database} SET default_transaction_read_only = on;
        ALTER ROLE {role} IN DATABASE {database} SET statement_timeout = '2s';"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(Ok(Granted { created }))
}
