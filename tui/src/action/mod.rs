//! Every way to change the model. Keys, the terminal and background tasks all send actions to `update`.
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
    Insert(char),
    Paste(String),
    Backspace,
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

/// What happened: a key, an event of the terminal, or a result of a background task.
#[derive(Clone, Debug)]
pub enum Action {
    None,
    /// A key without a meaning here. It still ends a chord and clears the count of unseen notices.
    Unknown,
    /// A key of the table of commands.
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
    /// Enter: the filter stays.
    FilterKeep,
    /// Esc: the filter is removed.
    FilterDrop,
    Paste(String),
    /// Rows that the mouse wheel turned, down if positive.
    Wheel(isize),
    /// Whether the terminal has the focus.
    Focus(bool),
    /// The time from `next_wake` has come.
    Tick,
    /// The loader has read the mirror.
    Loaded(Arc<Snapshot>),
    /// The state of the connection or of the mirror changed.
    Health(Health),
    /// The answer to `Effect::Prepare`.
    Prepared {
        ticket: Ticket,
        /// The preflight, or why there is none.
        result: Result<PreflightView, String>,
    },
    /// The answer to `Effect::Check`.
    Checked {
        ticket: Ticket,
        /// The preflight, or why there is none.
        result: Result<PreflightView, String>,
    },
    /// Progress of the running job.
    Progress {
        ticket: Ticket,
        progress: Progress,
    },
    /// The running job has ended.
    Finished {
        ticket: Ticket,
        result: Result<Receipt, String>,
    },
    /// The node has answered, so the cluster is known.
    Cluster(Cluster),
    /// From now on this key signs.
    SignerChanged(Option<Pubkey>),
    /// The notices with these keys could not be claimed in the store, so they are due again.
    NoticesFailed(Vec<String>),
    /// A notice was delivered; the text of all that it summarizes.
    Noticed(String),
    /// A message for the operator.
    Say(Level, String),
    /// A frame was drawn; what was visible in it.
    Drawn(ui::Drawn),
    /// The terminal has another size, which is not drawn yet.
    Resized {
        too_small: bool,
    },
}
