//! Everything that can happen. An action is the only way to change the model.
use std::sync::Arc;

use backend::{Progress, Receipt};
use indexer::Health;
use solana_pubkey::Pubkey;

pub mod command_id;

use self::command_id::CommandId;
use crate::model::{Level, Ticket, cluster::Cluster, job::PreflightView, snapshot::Snapshot, ui};

/// A change of a one-line text field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// One character.
    Insert(char),
    /// Several at once.
    Paste(String),
    /// The last one goes.
    Backspace,
    /// All go.
    Clear,
}

impl Edit {
    /// Applies the change; a field holds at most 64 characters and no control characters.
    pub fn apply(&self, field: &mut String) {
        match self {
            Self::Insert(c) if !c.is_control() && field.chars().count() < 64 => field.push(*c),
            Self::Insert(_) => {}
            Self::Paste(text) => text.chars().for_each(|c| Self::Insert(c).apply(field)),
            Self::Backspace => drop(field.pop()),
            Self::Clear => field.clear(),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Action {
    /// Nothing.
    None,
    /// A key without meaning here.
    Unknown,
    /// A command.
    Run(CommandId),
    /// The first key of a chord.
    Pending(char),
    /// Enter in a dialog.
    Accept {
        /// Whether the key is held down.
        repeat: bool,
    },
    /// `y` in a dialog.
    Yes {
        /// Whether the key is held down.
        repeat: bool,
    },
    /// Typing in a dialog.
    DialogEdit(Edit),
    /// Typing a filter.
    FilterEdit(Edit),
    /// The filter stays.
    FilterKeep,
    /// The filter goes.
    FilterDrop,
    /// Text was pasted.
    Paste(String),
    /// The wheel turned by so many rows.
    Wheel(isize),
    /// The terminal got or lost the focus.
    Focus(bool),
    /// Time passed.
    Tick,
    /// The mirror was read.
    Loaded(Arc<Snapshot>),
    /// News of the connection.
    Health(Health),
    /// A preparation ended.
    Prepared {
        /// Which.
        ticket: Ticket,
        /// What it shows, or why there is nothing to show.
        result: Result<PreflightView, String>,
    },
    /// The checks of the open proposal ended.
    Checked {
        /// Which.
        ticket: Ticket,
        /// What they show, or why there is nothing to show.
        result: Result<PreflightView, String>,
    },
    /// News of the running job.
    Progress {
        /// Which.
        ticket: Ticket,
        /// The news.
        progress: Progress,
    },
    /// The running job ended.
    Finished {
        /// Which.
        ticket: Ticket,
        /// How.
        result: Result<Receipt, String>,
    },
    /// The node was reached: which chain it is.
    Cluster(Cluster),
    /// Another key signs from now on.
    SignerChanged(Option<Pubkey>),
    /// Notices could not be claimed; they are due again.
    NoticesFailed(Vec<String>),
    /// Notices were given to the operator.
    Noticed(String),
    /// Something to tell the operator.
    Say(Level, String),
    /// What the last drawing put on the screen.
    Drawn(ui::Drawn),
    /// The terminal has another size, which is not drawn yet: whether it is too small.
    Resized {
        /// Whether it has no room for anything but saying so.
        too_small: bool,
    },
}
