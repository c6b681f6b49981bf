//! The dialogs, and the rules of confirming: Cancel has the focus at first, so Enter alone signs nothing; a key that
//! is held down confirms nothing; nothing is confirmed within half a second.
use std::time::{Duration, Instant};

use super::{Ticket, job::PreflightView, ui::DialogDrawn};
use backend::Verb;

/// How long a dialog must have been visible before it can be confirmed.
pub const ARM_DELAY: Duration = Duration::from_millis(500);
/// Two presses of one key closer together than this count as a held key: terminals without the
/// keyboard protocol report repeats as presses.
pub const KEY_REPEAT_GAP: Duration = Duration::from_millis(150);
/// After a press that came too early, the next one counts only after this pause. It is longer than a keyboard's delay
/// before it repeats a held key, so that a held key never confirms.
pub const REARM_DELAY: Duration = Duration::from_millis(1_000);

/// Which button has the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Focus {
    #[default]
    Cancel,
    Confirm,
}

/// What the operator must do to confirm.
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
    /// Identifies the intent that `runtime` keeps.
    pub ticket: Ticket,
    /// Exactly what will be signed.
    pub shown: PreflightView,
    pub need: Need,
    /// The focused button.
    pub focus: Focus,
    /// The word typed so far.
    pub input: String,
    /// First visible line.
    pub scroll: u16,
    /// Since when the buttons have been visible without interruption.
    pub visible: Option<Instant>,
    /// Whether every line that must be seen was visible.
    pub read: bool,
    /// Lines from the top that were visible so far, wrapped at `width`.
    pub read_to: u16,
    pub width: u16,
    /// The last press of Enter or `y`, to recognise a held key.
    pub last_press: Option<Instant>,
    /// Whether that press came too early, so that [`REARM_DELAY`] must pass.
    pub pressed_early: bool,
}

/// Why a press did not confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Checks failed: there is nothing to sign.
    NothingToSign,
    /// The buttons are not visible.
    Hidden,
    /// Not every line that must be seen was visible.
    Unread,
    /// Too early, or the key is held down.
    NotArmed,
    /// The typed word is missing or wrong.
    Word,
}

impl Confirm {
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
            pressed_early: false,
        }
    }

    /// Whether the required word was typed, if one is required.
    pub fn typed(&self) -> bool {
        match &self.need {
            Need::Yes => true,
            Need::Typed(word) => self.input.trim() == word,
        }
    }

    /// Records a press of Enter or `y` at `now` and returns whether it counts. It does not when the key is held down,
    /// nor soon after a press that came too early: a key held since before the dialog opened keeps repeating into it.
    pub fn press(&mut self, now: Instant, repeat: bool) -> bool {
        let since = self.last_press.map(|at| now.saturating_duration_since(at));
        let pause = if self.pressed_early { REARM_DELAY } else { KEY_REPEAT_GAP };
        let early = !armed(self.visible, now);
        let held = repeat || since.is_some_and(|since| since < pause);
        self.last_press = Some(now);
        self.pressed_early = early || held;
        !self.pressed_early
    }

    /// Records what the frame at `now` showed. Hidden buttons restart the half second before confirming; text that was
    /// visible once stays read.
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

    /// Whether Enter on Confirm may sign at `now`.
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

/// Whether a dialog that has been visible since `visible` may be confirmed at `now`.
pub fn armed(visible: Option<Instant>, now: Instant) -> bool {
    visible.is_some_and(|since| now.saturating_duration_since(since) >= ARM_DELAY)
}

/// The dialog on top of the screen.
#[derive(Clone, Debug)]
pub enum Dialog {
    /// The backend is reading the chain for this verb.
    Preparing { ticket: Ticket, verb: Verb, since: Instant },
    /// The preflight, with the buttons that sign.
    Confirm(Box<Confirm>),
    /// Sandbox: choose whose key signs.
    Members {
        /// The selected row.
        at: usize,
    },
    /// Sandbox: choose how far to move the clock.
    Clock {
        /// The selected row.
        at: usize,
    },
    /// Asks whether to quit while a job runs.
    Quit {
        /// The focused button.
        focus: Focus,
        /// Since when the buttons have been visible without interruption.
        visible: Option<Instant>,
    },
}

/// How far the sandbox's clock can be moved: label and seconds.
pub const CLOCK_STEPS: [(&str, u32); 4] = [
    ("1 hour", 3_600),
    ("24 hours", 24 * 3_600),
    ("48 hours", 48 * 3_600),
    ("7 days", 7 * 24 * 3_600),
];
