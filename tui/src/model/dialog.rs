//! What can lie on top of a screen, and the rules of confirming: Cancel has the focus, Enter alone
//! confirms nothing, neither does a key that is held down, and nothing within half a second.
use std::time::{Duration, Instant};

use super::{Ticket, job::PreflightView, ui::DialogDrawn};
use backend::Verb;

/// How long a dialog must have been on view before it can be confirmed.
pub const ARM_DELAY: Duration = Duration::from_millis(500);
/// Two presses of one key closer together than this count as a held key: terminals without the
/// keyboard protocol report repeats as presses.
pub const KEY_REPEAT_GAP: Duration = Duration::from_millis(150);
/// How long the operator must press nothing after a press that came too early. Longer than the
/// pause a keyboard makes before it repeats a held key, so that a held key never confirms.
pub const REARM_DELAY: Duration = Duration::from_millis(1_000);

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
    pub shown: PreflightView,
    /// What it takes.
    pub need: Need,
    /// The button with the focus.
    pub focus: Focus,
    /// What was typed.
    pub input: String,
    /// First line on view.
    pub scroll: u16,
    /// Since when its buttons have been on view without a break.
    pub visible: Option<Instant>,
    /// Whether all that must be seen of it was on view.
    pub read: bool,
    /// Lines from the top that were on view so far, at `width`.
    pub read_to: u16,
    /// Columns of its text.
    pub width: u16,
    /// The last press of Enter or `y`, to tell holding from pressing.
    pub last_press: Option<Instant>,
    /// Whether that press came too early, so that a pause must follow it.
    pub hasty: bool,
}

/// Why a press did not confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Checks failed: there is nothing to sign.
    NothingToSign,
    /// Its buttons are not on view.
    Hidden,
    /// Not all of what is signed was on view.
    Unread,
    /// Too early, or the key is held down.
    NotArmed,
    /// The word is missing or wrong.
    Word,
}

impl Confirm {
    /// The dialog for `shown`.
    pub fn new(ticket: Ticket, shown: PreflightView, need: Need) -> Self {
        Self {
            ticket,
            shown,
            need,
            focus: Focus::Cancel,
            input: String::new(),
            scroll: 0,
            visible: None,
            read: false,
            read_to: 0,
            width: 0,
            last_press: None,
            hasty: false,
        }
    }

    /// Whether what was typed is enough.
    pub fn typed(&self) -> bool {
        match &self.need {
            Need::Yes => true,
            Need::Typed(word) => self.input.trim() == word,
        }
    }

    /// Notes a press of a confirming key at `now` and says whether it counts: not when the key is
    /// held down, and not in the wake of a press that came too early – a key that was held before
    /// the dialog opened goes on into it.
    pub fn press(&mut self, now: Instant, repeat: bool) -> bool {
        let since = self.last_press.map(|at| now.saturating_duration_since(at));
        let pause = if self.hasty { REARM_DELAY } else { KEY_REPEAT_GAP };
        let early = !armed(self.visible, now);
        let held = repeat || since.is_some_and(|since| since < pause);
        self.last_press = Some(now);
        self.hasty = early || held;
        !self.hasty
    }

    /// Takes in what the drawing at `now` showed. When the buttons were hidden, the half second before
    /// confirming starts again; text that was read stays read.
    pub fn seen(&mut self, drawn: Option<DialogDrawn>, now: Instant) {
        let Some(drawn) = drawn.filter(|d| d.buttons) else {
            self.visible = None;
            return;
        };
        self.visible.get_or_insert(now);
        if self.width != drawn.width {
            (self.width, self.read_to) = (drawn.width, 0);
        }
        if drawn.from <= self.read_to {
            self.read_to = self.read_to.max(drawn.to);
        }
        self.read |= self.read_to >= drawn.must;
    }

    /// Whether it can be confirmed at `now` by Enter on Confirm.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self, now: Instant) -> Result<(), Refusal> {
        if !self.shown.sendable {
            return Err(Refusal::NothingToSign);
        }
        if self.visible.is_none() {
            return Err(Refusal::Hidden);
        }
        if !self.read {
            return Err(Refusal::Unread);
        }
        if !armed(self.visible, now) {
            return Err(Refusal::NotArmed);
        }
        if !self.typed() {
            return Err(Refusal::Word);
        }
        Ok(())
    }
}

/// Whether something on view since `visible` may be confirmed at `now`.
pub fn armed(visible: Option<Instant>, now: Instant) -> bool {
    visible.is_some_and(|since| now.saturating_duration_since(since) >= ARM_DELAY)
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
        /// Since when it has been on view without a break.
        visible: Option<Instant>,
    },
}

/// Steps of the sandbox's clock in seconds, with their names.
pub const CLOCK_STEPS: [(&str, u32); 4] = [
    ("1 hour", 3_600),
    ("24 hours", 24 * 3_600),
    ("48 hours", 48 * 3_600),
    ("7 days", 7 * 24 * 3_600),
];
