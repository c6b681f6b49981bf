//! The outbox of announcements, and each webhook's position in it.
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{
    fault::{PostgresFault, PostgresResult},
    lease::lock_for,
    live::{raw, text},
    read::{bytes, int, nat, opt_key, small},
};
use crate::store::{Announcement, DeadLetter, HookState, OutboxRow, Run, Sent};

/// Appends `news` to the outbox in their order; returns how many were new.
pub async fn put(tx: &mut PgConnection, news: &[Announcement]) -> PostgresResult<u64> {
    if news.is_empty() {
        return Ok(0);
    }
    // Without ORDER BY the server may number the rows in another order than the chain's.
    let done = sqlx::query(
        "INSERT INTO outbox (event_id, kind, slot, chain_time, subject, detail)
         SELECT event_id, kind, slot, chain_time, subject, detail
         FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[], $6::text[])
             WITH ORDINALITY AS n (event_id, kind, slot, chain_time, subject, detail, place)
         WHERE NOT EXISTS (SELECT 1 FROM outbox o WHERE o.event_id = n.event_id)
         ORDER BY place ON CONFLICT (event_id) DO NOTHING",
    )
    .bind(news.iter().map(|a| a.event_id.as_slice()).collect::<Vec<_>>())
    .bind(news.iter().map(|a| a.kind.as_str()).collect::<Vec<_>>())
    .bind(news.iter().map(|a| int(a.slot)).collect::<PostgresResult<Vec<_>>>()?)
    .bind(news.iter().map(|a| a.chain_time).collect::<Vec<_>>())
    .bind(news.iter().map(|a| a.subject.as_ref().map(raw)).collect::<Vec<_>>())
    .bind(news.iter().map(|a| text(&a.detail)).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}

/// Appends one announcement of `run` to the outbox; returns whether it was new.
pub async fn enqueue(
    tx: &mut PgConnection,
    run: &Run,
    news: &Announcement,
) -> PostgresResult<bool> {
    lock_for(tx, run).await?;
    Ok(put(tx, std::slice::from_ref(news)).await? > 0)
}

pub async fn behind(
    tx: &mut PgConnection,
    after: u64,
    limit: u32,
) -> PostgresResult<Vec<OutboxRow>> {
    let rows = sqlx::query(
        "SELECT id, event_id, kind, slot, chain_time, subject, detail FROM outbox
         WHERE id > $1 ORDER BY id LIMIT $2",
    )
    .bind(int(after)?)
    .bind(i64::from(limit))
    .fetch_all(tx)
    .await?;
    rows.iter().map(row).collect()
}

fn row(r: &PgRow) -> PostgresResult<OutboxRow> {
    Ok(OutboxRow {
        id: nat(r, "id")?,
        announcement: Announcement {
            event_id: bytes(r, "event_id")?,
            kind: r.try_get("kind")?,
            slot: nat(r, "slot")?,
            chain_time: r.try_get("chain_time")?,
            subject: opt_key(r, "subject")?,
            detail: r.try_get("detail")?,
        },
    })
}

pub async fn hook(tx: &mut PgConnection, name: &str, since_slot: u64) -> PostgresResult<HookState> {
    sqlx::query(
        "INSERT INTO hooks (name, since_slot, next_id) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING",
    )
    .bind(name)
    .bind(int(since_slot)?)
    .execute(&mut *tx)
    .await?;
    let mut all = hooks(tx, Some(name)).await?;
    all.pop().ok_or_else(|| PostgresFault::Corrupt(format!("the webhook {name} was not kept")))
}

/// Every webhook, or the one called `name`.
pub async fn hooks(tx: &mut PgConnection, name: Option<&str>) -> PostgresResult<Vec<HookState>> {
    let rows = sqlx::query(
        "SELECT name, since_slot, next_id, attempts, next_at_ms, last_error FROM hooks
         WHERE $1::text IS NULL OR name = $1 ORDER BY name",
    )
    .bind(name)
    .fetch_all(tx)
    .await?;
    let state = |r: &PgRow| {
        Ok(HookState {
            name: r.try_get("name")?,
            since_slot: nat(r, "since_slot")?,
            next_id: nat(r, "next_id")?,
            attempts: small(r, "attempts")?,
            next_at_ms: r.try_get("next_at_ms")?,
            last_error: r.try_get("last_error")?,
        })
    };
    rows.iter().map(state).collect()
}

pub async fn sent(tx: &mut PgConnection, name: &str, id: u64, sent: &Sent) -> PostgresResult<()> {
    // Never move a webhook back: another process may have sent this row in the meantime.
    let at = sqlx::query(
        "SELECT next_id, attempts FROM hooks WHERE name = $1 AND next_id <= $2 FOR UPDATE",
    )
    .bind(name)
    .bind(int(id)?)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(at) = at else { return Ok(()) };
    let again = nat(&at, "next_id")? == id;
    let attempts = if again { small(&at, "attempts")?.saturating_add(1) } else { 1 };
    let (next_id, attempts, next_at_ms, error) = match sent {
        Sent::Taken => (id.saturating_add(1), 0, 0, None),
        Sent::Again { error, next_at_ms } => (id, attempts, *next_at_ms, Some(error)),
        Sent::Dead { error, at_ms } => {
            sqlx::query(
                "INSERT INTO dead_letters (hook, outbox_id, attempts, error, at_ms)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (hook, outbox_id) DO UPDATE SET attempts = excluded.attempts,
                     error = excluded.error, at_ms = excluded.at_ms",
            )
            .bind(name)
            .bind(int(id)?)
            .bind(i64::from(attempts))
            .bind(text(error))
            .bind(at_ms)
            .execute(&mut *tx)
            .await?;
            (id.saturating_add(1), 0, 0, Some(error))
        }
    };
    sqlx::query(
        "UPDATE hooks SET next_id = $2, attempts = $3, next_at_ms = $4, last_error = $5
         WHERE name = $1",
    )
    .bind(name)
    .bind(int(next_id)?)
    .bind(i64::from(attempts))
    .bind(next_at_ms)
    .bind(error.map(|words| text(words)))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

pub async fn dead_letters(tx: &mut PgConnection) -> PostgresResult<Vec<DeadLetter>> {
    let rows = sqlx::query(
        "SELECT d.hook, d.attempts, d.error, d.at_ms,
             o.id, o.event_id, o.kind, o.slot, o.chain_time, o.subject, o.detail
         FROM dead_letters d JOIN outbox o ON o.id = d.outbox_id
         ORDER BY d.outbox_id, d.hook",
    )
    .fetch_all(tx)
    .await?;
    let letter = |r: &PgRow| {
        Ok(DeadLetter {
            hook: r.try_get("hook")?,
            attempts: small(r, "attempts")?,
            error: r.try_get("error")?,
            at_ms: r.try_get("at_ms")?,
            row: row(r)?,
        })
    };
    rows.iter().map(letter).collect()
}

pub async fn forget_dead(tx: &mut PgConnection, hook: &str, id: u64) -> PostgresResult<bool> {
    let done = sqlx::query("DELETE FROM dead_letters WHERE hook = $1 AND outbox_id = $2")
        .bind(hook)
        .bind(int(id)?)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() > 0)
}
