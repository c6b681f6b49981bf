//! The name of every command. A key, a footer entry and a help line refer to a command by it.
use backend::Verb;

use crate::model::ui::Screen;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is explained by its row in the table")]
pub enum CommandId {
    Quit,
    Help,
    Back,
    NextScreen,
    PreviousScreen,
    Show(Screen),
    Down,
    Up,
    Left,
    Right,
    Top,
    Bottom,
    PageDown,
    PageUp,
    Open,
    Filter,
    Approve,
    Reject,
    Revoke,
    Cancel,
    Expire,
    Execute,
    Migrate,
    Verify,
    RollBack,
    GiveUp,
    Check,
    Copy,
    Member(usize),
    Members,
    Clock,
    Suspend,
    DialogNext,
    DialogAccept,
    DialogYes,
    DialogClose,
    DialogUp,
    DialogDown,
}

impl CommandId {
    /// The verb that the command asks the backend for, if it signs.
    pub fn verb(self) -> Option<Verb> {
        match self {
            Self::Approve => Some(Verb::Approve),
            Self::Reject => Some(Verb::Reject),
            Self::Revoke => Some(Verb::Revoke),
            Self::Cancel => Some(Verb::Cancel),
            Self::Expire => Some(Verb::Expire),
            Self::Execute => Some(Verb::Execute),
            Self::Migrate => Some(Verb::Migrate),
            Self::Verify => Some(Verb::Verify),
            Self::RollBack => Some(Verb::RollBack { give_up: false }),
            Self::GiveUp => Some(Verb::RollBack { give_up: true }),
            _ => None,
        }
    }
}
