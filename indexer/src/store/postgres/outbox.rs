//! What is to be announced, how far each webhook is, and what webhooks would not take.
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{
    fault::Fault,
    lease::lock_for,
    live::{raw, text},
    read::{bytes, int, nat, opt_key},
};
use crate::store::{Announcement, DeadLetter, HookState, OutboxRow, Run, Sent};

type Outcome<T> = Result<T, Fault>;

/// Puts `news` into the outbox in their order; how many were new.
pub async fn put(tx: &mut PgConnection, news: &[Announcement]) -> Outcome<u64> {
    if news.is_empty() {
        return Ok(0);
    }
    // In order, or numbers would not follow the chain.
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
    .bind(news.iter().map(|a| int(a.slot)).collect::<Outcome<Vec<_>>>()?)
    .bind(news.iter().map(|a| a.chain_time).collect::<Vec<_>>())
    .bind(news.iter().map(|a| a.subject.as_ref().map(raw)).collect::<Vec<_>>())
    .bind(news.iter().map(|a| text(&a.detail)).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}

/// Puts one announcement of `run` into the outbox; whether it was new.
pub async fn enqueue(tx: &mut PgConnection, run: &Run, news: &Announcement) -> Outcome<bool> {
    lock_for(tx, run).await?;
    Ok(put(tx, std::slice::from_ref(news)).await? > 0)
}

fn row(r: &PgRow) -> Outcome<OutboxRow> {
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

/// Rows behind number `after`, oldest first.
pub async fn behind(tx: &mut PgConnection, after: u64, limit: u32) -> Outcome<Vec<OutboxRow>> {
    let rows = sqlx::query("SELECT * FROM outbox WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(int(after)?)
        .bind(i64::from(limit))
        .fetch_all(tx)
        .await?;
    rows.iter().map(row).collect()
}

fn state(r: &PgRow) -> Outcome<HookState> {
    Ok(HookState {
        name: r.try_get("name")?,
        since_slot: nat(r, "since_slot")?,
        next_id: nat(r, "next_id")?,
        attempts: u32::try_from(nat(r, "attempts")?).unwrap_or(u32::MAX),
        next_at_ms: r.try_get("next_at_ms")?,
        last_error: r.try_get("last_error")?,
    })
}

/// How far webhook `name` is; a new one starts at number 1.
pub async fn hook(tx: &mut PgConnection, name: &str, since_slot: u64) -> Outcome<HookState> {
    sqlx::query(
        "INSERT INTO hooks (name, since_slot, next_id) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING",
    )
    .bind(name)
    .bind(int(since_slot)?)
    .execute(&mut *tx)
    .await?;
    state(&sqlx::query("SELECT * FROM hooks WHERE name = $1").bind(name).fetch_one(tx).await?)
}

/// Every webhook, by name.
pub async fn hooks(tx: &mut PgConnection) -> Outcome<Vec<HookState>> {
    let rows = sqlx::query("SELECT * FROM hooks ORDER BY name COLLATE \"C\"").fetch_all(tx).await?;
    rows.iter().map(state).collect()
}

/// Notes what became of sending row `id` to webhook `name`.
pub async fn hook_sent(tx: &mut PgConnection, name: &str, id: u64, sent: &Sent) -> Outcome<()> {
    if let Sent::Again { error, next_at_ms } = sent {
        sqlx::query(
            "UPDATE hooks SET next_id = greatest(next_id, $2), attempts = attempts + 1,
                 next_at_ms = $3, last_error = $4 WHERE name = $1 AND next_id <= $2",
        )
        .bind(name)
        .bind(int(id)?)
        .bind(next_at_ms)
        .bind(text(error))
        .execute(tx)
        .await?;
        return Ok(());
    }
    if let Sent::Dead { error, at_ms } = sent {
        sqlx::query(
            "INSERT INTO dead_letters (hook, outbox_id, attempts, error, at_ms)
             SELECT name, $2, attempts + 1, $3, $4 FROM hooks WHERE name = $1
             ON CONFLICT (hook, outbox_id) DO UPDATE SET error = excluded.error,
                 at_ms = excluded.at_ms, attempts = dead_letters.attempts + 1",
        )
        .bind(name)
        .bind(int(id)?)
        .bind(text(error))
        .bind(at_ms)
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query(
        "UPDATE hooks SET next_id = $2 + 1, attempts = 0, next_at_ms = 0, last_error = NULL
         WHERE name = $1 AND next_id <= $2",
    )
    .bind(name)
    .bind(int(id)?)
    .execute(tx)
    .await?;
    Ok(())
}

/// What webhooks would not take, oldest first.
pub async fn dead_letters(tx: &mut PgConnection) -> Outcome<Vec<DeadLetter>> {
    let rows = sqlx::query(
        "SELECT o.*, d.hook, d.attempts, d.error, d.at_ms
         FROM dead_letters d JOIN outbox o ON o.id = d.outbox_id ORDER BY d.at_ms, o.id, d.hook",
    )
    .fetch_all(tx)
    .await?;
    let letter = |r: &PgRow| {
        Ok(DeadLetter {
            hook: r.try_get("hook")?,
            row: row(r)?,
            attempts: u32::try_from(nat(r, "attempts")?).unwrap_or(u32::MAX),
            error: r.try_get("error")?,
            at_ms: r.try_get("at_ms")?,
        })
    };
    rows.iter().map(letter).collect()
}

/// Takes a dead letter off the list; whether it was there.
pub async fn forget_dead(tx: &mut PgConnection, hook: &str, id: u64) -> Outcome<bool> {
    let done = sqlx::query("DELETE FROM dead_letters WHERE hook = $1 AND outbox_id = $2")
        .bind(hook)
        .bind(int(id)?)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() > 0)
}
