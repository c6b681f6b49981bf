//! What can lie on top of a screen, and the rules of confirming: Cancel has the focus, Enter alone
//! confirms nothing, neither does a key that is held down, and nothing within half a second.
use std::time::{Duration, Instant};

use super::{Ticket, job::Shown};
use backend::Verb;

/// How long a dialog must have been open before it can be confirmed.
pub const ARM: Duration = Duration::from_millis(500);
/// Presses of one key closer than this are taken for the key being held down: terminals without
/// the keyboard protocol report repeats as presses.
pub const HELD: Duration = Duration::from_millis(150);

/// Which button has the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Focus {
    /// Leave without doing anything.
    #[default]
    Cancel,
    /// Sign.
    Confirm,
}

/// What it takes to confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// `y`, or Confirm with Enter.
    Yes,
    /// This word, then Confirm with Enter.
    Typed(String),
}

/// The dialog before signing.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// Names the intent that the runtime keeps.
    pub ticket: Ticket,
    /// Exactly what will be signed.
    pub shown: Shown,
    /// What it takes.
    pub need: Need,
    /// The button with the focus.
    pub focus: Focus,
    /// What was typed.
    pub input: String,
    /// First line on view.
    pub scroll: u16,
    /// When it opened.
    pub opened: Instant,
    /// The last press of Enter, to tell holding from pressing.
    pub last_enter: Option<Instant>,
}

/// Why a press did not confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Checks failed: there is nothing to sign.
    NothingToSign,
    /// Too early, or the key is held down.
    NotArmed,
    /// The word is missing or wrong.
    Word,
}

impl Confirm {
    /// The dialog for `shown`.
    pub fn new(ticket: Ticket, shown: Shown, need: Need, now: Instant) -> Self {
        Self {
            ticket,
            shown,
            need,
            focus: Focus::Cancel,
            input: String::new(),
            scroll: 0,
            opened: now,
            last_enter: None,
        }
    }

    /// Whether what was typed is enough.
    pub fn typed(&self) -> bool {
        match &self.need {
            Need::Yes => true,
            Need::Typed(word) => self.input.trim() == word,
        }
    }

    /// Whether it can be confirmed at `now` by Enter on Confirm.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self, now: Instant) -> Result<(), Refusal> {
        if !self.shown.sendable {
            return Err(Refusal::NothingToSign);
        }
        if now.saturating_duration_since(self.opened) < ARM {
            return Err(Refusal::NotArmed);
        }
        if !self.typed() {
            return Err(Refusal::Word);
        }
        Ok(())
    }
}

/// What lies on top.
#[derive(Clone, Debug)]
pub enum Dialog {
    /// The backend is reading the chain for this verb.
    Preparing {
        /// Which preparation.
        ticket: Ticket,
        /// What for.
        verb: Verb,
        /// Since when.
        since: Instant,
    },
    /// Ready to be confirmed.
    Confirm(Box<Confirm>),
    /// Sandbox: whose key signs.
    Members {
        /// The row with the focus.
        at: usize,
    },
    /// Sandbox: how far to move the clock.
    Clock {
        /// The row with the focus.
        at: usize,
    },
    /// Leave although a job runs?
    Quit {
        /// The button with the focus.
        focus: Focus,
        /// When it opened.
        opened: Instant,
    },
}

/// Steps of the sandbox's clock in seconds, with their names.
pub const CLOCK_STEPS: [(&str, u32); 4] = [
    ("1 hour", 3_600),
    ("24 hours", 24 * 3_600),
    ("48 hours", 48 * 3_600),
    ("7 days", 7 * 24 * 3_600),
];
