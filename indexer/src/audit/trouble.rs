//! Why the audit log is not complete, for those who read it later: the mirror notes it in the store
//! when a finalised transaction cannot be read, and again when the log goes on.
use crate::store::{Result, Store};

/// The note that the log stands still; its detail holds the reason as `error`.
pub const STOPPED: &str = "HistoryStopped";
/// The note that it goes on.
pub const GOES_ON: &str = "HistoryGoesOn";

/// How many notes are looked through. When the newest is further back, the mirror that still cannot
/// go on notes it again at its next start.
const MAX_NOTES: u32 = 1_000;

/// Why the log in `store` stands still, as a sentence; `None` when nothing is noted that stops it.
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
