//! What an administrator does with the database of a multisig: looks at the number of its schema,
//! brings it up to date, and makes the role under which control rooms read. Touches no mirrored
//! row.
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};

use super::{
    PostgresStore,
    connect::{ACQUIRE_TIMEOUT, QUERY_TIMEOUT, made, within},
    fault::PostgresFault,
    options,
};
use crate::store::{Result, StoreError};

/// Longest name that Postgres keeps whole, bytes.
const MAX_NAME_LEN: usize = 63;

/// Number of the schema in the database at `url`; [`None`] where nothing was made yet. Changes
/// nothing.
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

/// What a migration did, as schema numbers; 0 is an empty database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Before.
    pub from: i64,
    /// Now.
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

/// What became of the role that may only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Whether it was made; then it has no password yet.
    pub created: bool,
}

/// Lets `role` read the mirror at `url` and nothing else: every transaction of it is read-only, and
/// a statement of it ends after 2 seconds unless the client asks for more. Makes the role where it
/// is missing. To be called again after a change of the schema.
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

/// The inner error is why the role must not be used.
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
    // A writer that this made read-only would mirror nothing any more.
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
    // The name is one word, see above; the others come quoted from the server.
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
