//! The first load of an empty mirror, on a connection of its own: COPY into the bare table, its
//! indexes made afterwards, all in one transaction. When it is cut off anywhere, the server takes
//! everything back, indexes included.
//!
//! Nobody else can touch the table meanwhile, and what it holds for them is nothing: readers find
//! that out by [`FILL_LOCK`] and do not wait.
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};
use tokio::sync::mpsc;

use super::{
    connect::{BULK_TIMEOUT, QUERY_TIMEOUT, within},
    copy::{COLUMNS, Rows},
    fault::{PostgresFault, PostgresResult},
    lease::{lock_for, renew},
    live::{revise, set_aside, shift},
};
use crate::{
    account::Quarantined,
    store::{Fill, Run, merge::Deltas},
};

/// Advisory lock of a first load: its holder alone for the load, readers together for a moment.
pub const FILL_LOCK: i64 = 0x7570_6772_6164_6531;
/// Bytes that are sent in one go.
const COPY_CHUNK_BYTES: usize = 256 * 1024;

/// Takes all `rows` into the empty mirror; [`None`] when it is not empty.
pub async fn fill(
    connection: &mut PgConnection,
    run: &Run,
    mut rows: mpsc::Receiver<Fill>,
) -> PostgresResult<Option<u64>> {
    let Some(bare) = within(QUERY_TIMEOUT, prepare(connection, run)).await? else {
        return Ok(None);
    };
    let freeze = if bare.is_some() { ", FREEZE" } else { "" };
    let statement = format!("COPY accounts ({COLUMNS}) FROM STDIN (FORMAT binary{freeze})");
    let (count, deltas, bad) = copy(connection, &statement, &mut rows).await?;
    within(BULK_TIMEOUT, async {
        for statement in bare.unwrap_or_default() {
            connection.execute(AssertSqlSafe(statement)).await?;
        }
        let state = lock_for(connection, run).await?;
        shift(connection, &deltas).await?;
        for q in &bad {
            set_aside(connection, q).await?;
        }
        revise(connection, &state, count > 0 || !bad.is_empty()).await?;
        renew(connection).await?;
        connection.execute("COMMIT").await?;
        Ok(Some(count))
    })
    .await
}

/// Opens the transaction in which the mirror is empty and nobody else's. The statements that make
/// the table whole again, where this user may change it; [`None`] when the mirror is not empty.
async fn prepare(
    connection: &mut PgConnection,
    run: &Run,
) -> PostgresResult<Option<Option<Vec<String>>>> {
    connection.execute("BEGIN; SET LOCAL statement_timeout = 0").await?;
    // Not to be held for long: others renew the lease meanwhile. It is looked at again at the end.
    lock_for(connection, run).await?;
    connection.execute("COMMIT; BEGIN; SET LOCAL statement_timeout = 0").await?;
    if holds_any(connection).await? {
        connection.execute("ROLLBACK").await?;
        return Ok(None);
    }
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(FILL_LOCK)
        .execute(&mut *connection)
        .await?;
    let row = sqlx::query(
        "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'accounts'::regclass",
    )
    .fetch_one(&mut *connection)
    .await?;
    let is_owner: bool = row.try_get(0)?;
    let mode = if is_owner { "ACCESS EXCLUSIVE" } else { "SHARE ROW EXCLUSIVE" };
    connection.execute(AssertSqlSafe(format!("LOCK TABLE accounts IN {mode} MODE"))).await?;
    if holds_any(connection).await? {
        connection.execute("ROLLBACK").await?;
        return Ok(None);
    }
    if is_owner { strip(connection).await.map(|bare| Some(Some(bare))) } else { Ok(Some(None)) }
}

async fn holds_any(connection: &mut PgConnection) -> PostgresResult<bool> {
    let row = sqlx::query("SELECT EXISTS (SELECT 1 FROM accounts)").fetch_one(connection).await?;
    Ok(row.try_get(0)?)
}

/// Takes the indexes off the empty table; the statements that make them again, as the server tells
/// them. A table that is emptied in the same transaction takes rows that need no second visit.
async fn strip(connection: &mut PgConnection) -> PostgresResult<Vec<String>> {
    let rows = sqlx::query(
        "SELECT quote_ident(c.conname) AS name, pg_get_constraintdef(c.oid) AS made, true AS pinned
         FROM pg_constraint c WHERE c.conrelid = 'accounts'::regclass AND c.contype IN ('p', 'u')
         UNION ALL
         SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), false
         FROM pg_index i WHERE i.indrelid = 'accounts'::regclass
             AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
    )
    .fetch_all(&mut *connection)
    .await?;
    connection.execute("TRUNCATE accounts").await?;
    let mut again = vec!["SET LOCAL maintenance_work_mem = '128MB'".to_owned()];
    for r in &rows {
        let (name, made): (&str, &str) = (r.try_get("name")?, r.try_get("made")?);
        let off = if r.try_get("pinned")? {
            again.push(format!("ALTER TABLE accounts ADD CONSTRAINT {name} {made}"));
            format!("ALTER TABLE accounts DROP CONSTRAINT {name}")
        } else {
            again.push(made.to_owned());
            format!("DROP INDEX {name}")
        };
        connection.execute(AssertSqlSafe(off)).await?;
    }
    again.push("ANALYZE accounts".to_owned());
    Ok(again)
}

/// How many rows there were, how they are counted, and what could not be read.
async fn copy(
    connection: &mut PgConnection,
    statement: &str,
    rows: &mut mpsc::Receiver<Fill>,
) -> PostgresResult<(u64, Deltas, Vec<Quarantined>)> {
    let mut target =
        within(QUERY_TIMEOUT, async { Ok(connection.copy_in_raw(statement).await?) }).await?;
    let (mut waiting, mut deltas, mut bad) = (Rows::start(), Deltas::default(), vec![]);
    loop {
        match rows.recv().await {
            None => return Err(PostgresFault::Unended),
            Some(Fill::End) => break,
            Some(Fill::Rows(updates, unreadable)) => {
                for update in &updates {
                    deltas.shift(None, update.facets.tally.as_ref());
                    waiting.push(update)?;
                }
                bad.extend(unreadable);
            }
        }
        if waiting.len() >= COPY_CHUNK_BYTES {
            within(QUERY_TIMEOUT, async { Ok(target.send(waiting.bytes()).await.map(|_| ())?) })
                .await?;
            waiting.clear();
        }
    }
    waiting.end();
    within(BULK_TIMEOUT, async {
        target.send(waiting.bytes()).await?;
        Ok((target.finish().await?, deltas, bad))
    })
    .await
}
