//! The operator of the tests: presses keys, lets time pass, and answers for the backend.
use std::time::{Duration, Instant};

use backend::Operation;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::update;
use crate::{action::Action, effect::Effect, fixtures, keymap, model::Model};

/// Drives the model like an operator at the keyboard, and draws after each action.
pub(super) struct Robot {
    pub model: Model,
    pub now: Instant,
    pub requested: Vec<Effect>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
}

impl Robot {
    pub fn new(model: Model) -> Self {
        Self { now: model.now, model, requested: vec![], size: (160, 50) }
    }

    pub fn wait(&mut self, ms: u64) -> &mut Self {
        self.now += Duration::from_millis(ms);
        self.requested = update(&mut self.model, Action::Tick, self.now);
        self
    }

    pub fn act(&mut self, action: Action) -> &mut Self {
        self.requested = update(&mut self.model, action, self.now);
        fixtures::draw_on(&mut self.model, self.size);
        self
    }

    pub fn event(&mut self, event: KeyEvent) -> &mut Self {
        let action = keymap::action(&self.model, &event);
        self.act(action)
    }

    pub fn press(&mut self, code: KeyCode) -> &mut Self {
        self.event(KeyEvent::new(code, KeyModifiers::NONE))
    }

    pub fn hold(&mut self, code: KeyCode) -> &mut Self {
        self.event(KeyEvent::new_with_kind(code, KeyModifiers::NONE, KeyEventKind::Repeat))
    }

    pub fn keys(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.press(KeyCode::Char(c));
        }
        self
    }

    /// Presses the key of an action and lets the backend answer.
    pub fn open(&mut self, c: char) -> &mut Self {
        self.press(KeyCode::Char(c));
        let Some(Effect::Prepare(ticket, Operation { verb, .. })) = self.requested.first().cloned()
        else {
            panic!("{c} prepared nothing: {:?}", self.message());
        };
        let result = Ok(fixtures::preflight(verb));
        self.act(Action::Prepared { ticket, result })
    }

    pub fn message(&self) -> String {
        let shown = self.model.errors.first().or(self.model.message.as_ref());
        shown.map(|m| m.text.clone()).unwrap_or_default()
    }

    pub fn submitted(&self) -> bool {
        self.requested.iter().any(|e| matches!(e, Effect::Submit(_)))
    }
}

pub(super) fn sandbox(f: &fixtures::Fixture) -> Robot {
    Robot::new(fixtures::model(f, Instant::now()))
}
