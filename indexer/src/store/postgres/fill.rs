//! The first load of an empty mirror, on its own connection: drops the indexes, COPYs the rows and
//! builds the indexes again, all in one transaction. A load that breaks off is rolled back by the
//! server, indexes included.
//!
//! The load locks the table. Readers would wait for it only to find an empty mirror, so they test
//! [`FILL_LOCK`] and do not wait.
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};
use tokio::sync::mpsc;

use super::{
    connect::{BULK_TIMEOUT, QUERY_TIMEOUT, within},
    copy::{COLUMNS, Rows},
    fault::{PostgresFault, PostgresResult},
    lease::{lock_for, renew},
    live::{revise, set_aside, shift},
    read::FILL_LOCK,
};
use crate::{
    account::Quarantined,
    store::{Fill, Run, merge::Deltas},
};

/// Bytes of one COPY message.
const COPY_CHUNK_BYTES: usize = 256 * 1024;

/// Loads all `rows` and returns their number; [`None`] when the mirror is not empty.
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

/// Opens the transaction and locks the empty table. Returns the statements that rebuild the dropped
/// indexes, `Some(None)` where this user does not own the table and nothing was dropped, and [`None`]
/// when the mirror is not empty.
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

/// Drops the indexes of the empty table and returns the server's own statements to rebuild them. The
/// TRUNCATE in the same transaction allows COPY FREEZE: its rows need no later vacuum.
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

/// Sends the rows; returns their number, the changes of the counters, and the undecodable accounts.
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
