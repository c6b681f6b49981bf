//! Sentences that more than one place says, so that they are said the same everywhere. Words of one
//! screen stay with that screen.
use backend::Verb;

/// Why nothing can be signed.
pub const READ_ONLY: &str = "The control room is in read-only mode, so it signs nothing. --read-only, CONTROL_ROOM_READ_ONLY or read_only in the configuration switched it on; start it without.";
/// Why nothing can be signed.
pub const NO_KEY: &str = "No key is loaded; start with --keypair FILE to sign.";
/// Why nothing can be signed.
pub const NOT_YET_CONNECTED: &str =
    "Not connected to the chain yet; wait for the word Live in the header.";
/// When a connection was lost without a reason.
pub const LOST: &str = "the connection was lost";
/// When nothing is selected.
pub const NO_PROPOSAL: &str = "No proposal is selected; choose one on the Programs screen (key 1).";
/// Why a dialog cannot be confirmed.
pub const NOTHING_TO_SIGN: &str =
    "A check failed, so nothing can be signed. Read the checks, press Esc, fix the cause.";
/// Why a dialog cannot be confirmed yet.
pub const NOT_ARMED: &str = "Not confirmed: the dialog has just opened, or the key is held down. Read it, wait a second, then confirm.";
/// When a filter hides every row.
pub const NO_MATCH: &str = "No row passes the filter; Esc clears it.";
/// Too small a terminal.
pub const TOO_SMALL: &str = "terminal too small";
/// Writes go nowhere before Postgres or SQLite has been read once.
pub const LOADING: &str = "Reading the mirror...";

/// Why a dialog cannot be confirmed.
pub const HIDDEN: &str = "Not confirmed: the dialog has no room for its buttons. Make the terminal larger, or close the dialog and dismiss the messages below it.";
/// Why a dialog cannot be confirmed yet.
pub const UNREAD: &str =
    "Not confirmed: not all of what will be signed was on the screen. Press Down until it was.";

/// Why a key does not act on proposal `id`.
pub fn not_on_view(id: u64) -> String {
    format!("Proposal {id} is not on view here; look at it first (key 1 or 2).")
}

/// What is asked of the backend, before it is known whether that is a vote or the act itself.
pub fn question(verb: Verb) -> &'static str {
    match verb {
        Verb::Cancel => "Cancel: a vote, or the act itself?",
        Verb::RollBack { .. } => "Roll back: a vote, or the act itself?",
        verb => title(verb),
    }
}

/// Why a second action is refused.
pub fn busy(label: &str) -> String {
    format!("{label} is running; wait until it has ended.")
}

/// Why nothing can be signed while offline.
pub fn offline(reason: &str) -> String {
    format!(
        "Not connected to the chain: {}. Nothing can be signed until the header says Live.",
        bare(reason)
    )
}

/// A reason without its final full stop, to stand inside a sentence.
pub fn bare(sentence: &str) -> &str {
    sentence.trim_end_matches('.')
}

/// A verb at the head of a sentence.
pub fn title(verb: Verb) -> &'static str {
    match verb {
        Verb::Propose => "Propose",
        Verb::Approve => "Approve",
        Verb::Reject => "Reject",
        Verb::Revoke => "Revoke",
        Verb::Cancel => "Cancel",
        Verb::Expire => "Expire",
        Verb::Execute => "Execute",
        Verb::Migrate => "Migrate",
        Verb::Verify => "Verify",
        Verb::Quarantine { .. } => "Quarantine",
        Verb::RollBack { .. } => "Roll back",
    }
}
