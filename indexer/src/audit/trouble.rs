//! Why the audit log is incomplete: the mirror writes a note into the store when a finalised transaction
//! cannot be read, and another when the log goes on. Readers of the log find the reason here.
use crate::store::{Result, Store};

/// Kind of the note that the log has stopped; its detail holds the reason as `error`.
pub const STOPPED: &str = "HistoryStopped";
/// Kind of the note that the log goes on.
pub const GOES_ON: &str = "HistoryGoesOn";

/// How many notes are searched. If the newest is further back, a mirror that still cannot go on writes
/// it again at its next start.
const MAX_NOTES: u32 = 1_000;

/// Why the log in `store` has stopped, as a sentence; [`None`] if it has not.
///
/// # Errors
/// When the store does not answer.
pub async fn trouble(store: &dyn Store) -> Result<Option<String>> {
    let notes = store.ops(MAX_NOTES).await?;
    let newest = notes.into_iter().find(|note| [STOPPED, GOES_ON].contains(&note.kind.as_str()));
    let Some(note) = newest.filter(|note| note.kind == STOPPED) else { return Ok(None) };
    let error = note.detail.get("error").and_then(serde_json::Value::as_str);
    Ok(Some(error.unwrap_or("A finalised transaction cannot be read.").to_owned()))
}
