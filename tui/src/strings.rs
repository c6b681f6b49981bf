//! Sentences that more than one module shows. Texts of one screen stay with that screen.
use backend::Verb;

/// Why nothing is signed in read-only mode.
pub const READ_ONLY: &str = "The control room is in read-only mode, so it signs nothing. --read-only, CONTROL_ROOM_READ_ONLY or read_only in the configuration switched it on; start it without.";
/// Why nothing is signed without a key.
pub const NO_KEY: &str = "No key is loaded; start with --keypair FILE to sign.";
/// Why nothing is signed before the node has answered.
pub const NOT_YET_CONNECTED: &str =
    "Not connected to the chain yet; wait for the word Live in the header.";
/// The reason of a lost connection when none is known.
pub const LOST: &str = "the connection was lost";
pub const NO_PROPOSAL: &str = "No proposal is selected; choose one on the Programs screen (key 1).";
/// Shown in a dialog whose checks failed.
pub const NOTHING_TO_SIGN: &str =
    "A check failed, so nothing can be signed. Read the checks, press Esc, fix the cause.";
/// Why a press did not confirm: too early, or the key is held down.
pub const NOT_ARMED: &str = "Not confirmed: the dialog has just opened, or the key is held down. Read it, wait a second, then confirm.";
pub const NO_MATCH: &str = "No row passes the filter; Esc clears it.";
pub const TOO_SMALL: &str = "terminal too small";
/// Shown until the store has been read once.
pub const LOADING: &str = "Reading the mirror...";

/// Why a press did not confirm: the buttons are not visible.
pub const HIDDEN: &str = "Not confirmed: the dialog has no room for its buttons. Make the terminal larger, or close the dialog and dismiss the messages below it.";
/// Why a press did not confirm: lines that must be seen were not visible yet.
pub const UNREAD: &str =
    "Not confirmed: not all of what will be signed was on the screen. Press Down until it was.";

/// Why a key does not act on proposal `id`.
pub fn not_on_view(id: u64) -> String {
    format!("Proposal {id} is not on view here; look at it first (key 1 or 2).")
}

/// The title while the backend finds out whether signing would be a vote or the act itself.
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

/// A sentence without its final full stop, to be part of another one.
pub fn bare(sentence: &str) -> &str {
    sentence.trim_end_matches('.')
}

/// The verb, capitalized to start a sentence.
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
