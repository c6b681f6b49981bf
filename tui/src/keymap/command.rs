//! The one table of commands. Keymap, footer, help screen and the reasons for refusing come from it
//! and from nowhere else. It changes nothing.
use backend::Verb;
use upgrade_manager::state::{Phase, ProposalStatus, UpgradeProposal};

use crate::{
    model::{
        Model,
        dialog::{Dialog, Need},
        ui::Screen,
    },
    strings as s,
};

/// Every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is explained by its row in the table below")]
pub enum Id {
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

impl Id {
    /// What the command asks the backend for.
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

/// Where a command's keys work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On every screen.
    Any,
    /// On these screens.
    On(&'static [Screen]),
    /// On every screen, in the sandbox only.
    Sandbox,
    /// In a dialog.
    Dialog,
}

/// How the help screen groups commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Moving about.
    Move,
    /// Signing.
    Act,
    /// Looking.
    Look,
    /// The sandbox's own.
    Sandbox,
    /// Inside dialogs.
    Dialog,
}

impl Group {
    /// Every group, in the order of the help screen.
    pub const ALL: [Self; 5] = [Self::Act, Self::Move, Self::Look, Self::Dialog, Self::Sandbox];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Act => "Act on the selected proposal",
            Self::Move => "Move",
            Self::Look => "Look",
            Self::Dialog => "In a dialog",
            Self::Sandbox => "Sandbox only",
        }
    }
}

/// One command.
#[derive(Debug)]
pub struct Command {
    /// Which.
    pub id: Id,
    /// Its keys, as [`super::chord`] reads them; the first is shown in the footer.
    pub keys: &'static [&'static str],
    /// Where they work.
    pub scope: Scope,
    /// Its group on the help screen.
    pub group: Group,
    /// Its word in the footer.
    pub word: &'static str,
    /// What it does, for the help screen.
    pub help: &'static str,
    /// Place in the footer, lower first; `None` keeps it out.
    pub footer: Option<u8>,
}

const LISTS: &[Screen] =
    &[Screen::Programs, Screen::Migration, Screen::Audit, Screen::Sent, Screen::Help];
const DETAIL: &[Screen] = &[Screen::Proposal];
const FIRST: &[Screen] = &[Screen::Programs];
const OPENS: &[Screen] = &[Screen::Programs, Screen::Proposal];
const COPIES: &[Screen] =
    &[Screen::Programs, Screen::Proposal, Screen::Migration, Screen::Audit, Screen::Sent];

const fn act(
    id: Id,
    keys: &'static [&'static str],
    word: &'static str,
    help: &'static str,
    place: u8,
) -> Command {
    Command { id, keys, scope: Scope::Any, group: Group::Act, word, help, footer: Some(place) }
}

const fn go(
    id: Id,
    keys: &'static [&'static str],
    word: &'static str,
    help: &'static str,
) -> Command {
    Command { id, keys, scope: Scope::Any, group: Group::Move, word, help, footer: None }
}

const fn member(n: usize, keys: &'static [&'static str], help: &'static str) -> Command {
    let id = Id::Member(n);
    Command {
        id,
        keys,
        scope: Scope::Sandbox,
        group: Group::Sandbox,
        word: "member",
        help,
        footer: None,
    }
}

const fn in_dialog(
    id: Id,
    keys: &'static [&'static str],
    word: &'static str,
    help: &'static str,
) -> Command {
    Command { id, keys, scope: Scope::Dialog, group: Group::Dialog, word, help, footer: None }
}

/// Every command, in the order of the help screen.
pub static COMMANDS: &[Command] = &[
    act(Id::Approve, &["a"], "approve", "Vote for the proposal", 10),
    act(Id::Reject, &["r"], "reject", "Vote against it", 22),
    act(Id::Revoke, &["u"], "revoke", "Take your vote back", 23),
    act(Id::Cancel, &["c"], "cancel", "Cancel it, or vote to cancel it", 24),
    act(Id::Execute, &["x"], "execute", "Replace the program's code once the timelock is over", 11),
    act(Id::Migrate, &["m"], "migrate", "Migrate the accounts; starts again where it stopped", 12),
    act(Id::Verify, &["v"], "verify", "Verify every migrated account, then complete", 13),
    act(
        Id::RollBack,
        &["R"],
        "roll back",
        "Vote for rollback; once approved, restore accounts and code",
        14,
    ),
    act(Id::GiveUp, &["W"], "give up", "The same, giving up accounts that cannot be restored", 26),
    act(Id::Expire, &["E"], "expire", "Record that the proposal ran out of time", 25),
    go(Id::Show(Screen::Programs), &["1"], "programs", "Programs and proposals"),
    go(Id::Show(Screen::Proposal), &["2"], "proposal", "The selected proposal in full"),
    go(Id::Show(Screen::Migration), &["3"], "migration", "Migration progress"),
    go(Id::Show(Screen::Audit), &["4"], "audit", "The audit log"),
    go(Id::Show(Screen::Sent), &["5"], "sent", "Transactions that were sent from here"),
    go(Id::NextScreen, &["tab"], "next", "Next screen"),
    go(Id::PreviousScreen, &["backtab"], "previous", "Previous screen"),
    go(Id::Down, &["j", "down"], "down", "Down"),
    go(Id::Up, &["k", "up"], "up", "Up"),
    Command {
        id: Id::Left,
        keys: &["h", "left"],
        scope: Scope::On(FIRST),
        group: Group::Move,
        word: "programs",
        help: "To the table of programs",
        footer: None,
    },
    Command {
        id: Id::Right,
        keys: &["l", "right"],
        scope: Scope::On(FIRST),
        group: Group::Move,
        word: "proposals",
        help: "To the table of proposals",
        footer: None,
    },
    go(Id::Top, &["gg", "home"], "top", "To the top"),
    go(Id::Bottom, &["G", "end"], "bottom", "To the bottom"),
    go(Id::PageDown, &["ctrl-d", "pagedown"], "page down", "A page down"),
    go(Id::PageUp, &["ctrl-u", "pageup"], "page up", "A page up"),
    Command {
        id: Id::Open,
        keys: &["enter"],
        scope: Scope::On(OPENS),
        group: Group::Move,
        word: "open",
        help: "Open: program, then proposal, then migration",
        footer: Some(1),
    },
    Command {
        id: Id::Back,
        keys: &["esc", "backspace"],
        scope: Scope::Any,
        group: Group::Move,
        word: "back",
        help: "Back; also clears the filter and the message",
        footer: Some(27),
    },
    Command {
        id: Id::Filter,
        keys: &["/"],
        scope: Scope::On(LISTS),
        group: Group::Look,
        word: "filter",
        help: "Filter the rows: words that must all occur; Enter keeps, Esc clears",
        footer: Some(18),
    },
    Command {
        id: Id::Check,
        keys: &["p"],
        scope: Scope::On(DETAIL),
        group: Group::Look,
        word: "check",
        help: "Run the checks of the next step again, signing nothing",
        footer: Some(4),
    },
    Command {
        id: Id::Copy,
        keys: &["y"],
        scope: Scope::On(COPIES),
        group: Group::Look,
        word: "copy",
        help: "Copy the selected address, digest or signature to the clipboard",
        footer: Some(30),
    },
    Command {
        id: Id::Help,
        keys: &["?", "6"],
        scope: Scope::Any,
        group: Group::Look,
        word: "help",
        help: "This screen",
        footer: Some(2),
    },
    Command {
        id: Id::Suspend,
        keys: &["ctrl-z"],
        scope: Scope::Any,
        group: Group::Look,
        word: "suspend",
        help: "Back to the shell; fg returns",
        footer: None,
    },
    Command {
        id: Id::Quit,
        keys: &["q", "ctrl-c"],
        scope: Scope::Any,
        group: Group::Look,
        word: "quit",
        help: "Leave the control room",
        footer: Some(3),
    },
    in_dialog(
        Id::DialogNext,
        &["tab", "backtab", "left", "right"],
        "change button",
        "Between Cancel and Confirm",
    ),
    in_dialog(
        Id::DialogAccept,
        &["enter"],
        "press button",
        "Press the button with the focus: Cancel at first",
    ),
    in_dialog(Id::DialogYes, &["y"], "confirm", "Confirm, where no word has to be typed"),
    in_dialog(Id::DialogClose, &["esc", "ctrl-c"], "cancel", "Close without signing"),
    in_dialog(Id::DialogDown, &["down", "pagedown"], "scroll", "Scroll down, or next row"),
    in_dialog(Id::DialogUp, &["up", "pageup"], "scroll", "Scroll up, or previous row"),
    member(0, &["F1"], "Sign as the first member"),
    member(1, &["F2"], "Sign as the second member"),
    member(2, &["F3"], "Sign as the third member"),
    member(3, &["F4"], "Sign as the fourth member"),
    member(4, &["F5"], "Sign as the fifth member"),
    Command {
        id: Id::Members,
        keys: &["K"],
        scope: Scope::Sandbox,
        group: Group::Sandbox,
        word: "member",
        help: "Choose whose key signs",
        footer: Some(15),
    },
    Command {
        id: Id::Clock,
        keys: &["T"],
        scope: Scope::Sandbox,
        group: Group::Sandbox,
        word: "clock",
        help: "Move the chain's clock forward",
        footer: Some(16),
    },
];

/// The row of `id`.
pub fn command(id: Id) -> Option<&'static Command> {
    COMMANDS.iter().find(|c| c.id == id)
}

impl Command {
    /// Whether the command exists where the operator is.
    pub fn applies(&self, model: &Model) -> bool {
        match self.scope {
            Scope::Any => model.dialog.is_none(),
            Scope::On(screens) => model.dialog.is_none() && screens.contains(&model.ui.screen),
            Scope::Sandbox => model.dialog.is_none() && !model.members.is_empty(),
            Scope::Dialog if self.id == Id::DialogYes => {
                matches!(&model.dialog, Some(Dialog::Confirm(c)) if c.need == Need::Yes)
            }
            Scope::Dialog => model.dialog.is_some(),
        }
    }

    /// Whether the command can be used now.
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub fn enabled(&self, model: &Model) -> Result<(), String> {
        let Some(verb) = self.id.verb() else { return Ok(()) };
        if let Some(reason) = model.write_block() {
            return Err(reason);
        }
        let selected = model.ui.proposal.selected();
        let row = selected.and_then(|p| model.snapshot.proposal(p)).ok_or(s::NO_PROPOSAL)?;
        let state = model.snapshot.program(&row.account.terms.program);
        fits(verb, &row.account, state.map(|s| s.phase))
    }
}

/// Whether `verb` can make sense for a proposal at this status; the backend checks everything else.
fn fits(verb: Verb, proposal: &UpgradeProposal, phase: Option<Phase>) -> Result<(), String> {
    let status = proposal.status;
    let rolling = phase == Some(Phase::RollingBack);
    let fits = match verb {
        Verb::Approve | Verb::Reject | Verb::Revoke | Verb::Cancel | Verb::Expire => {
            status.is_voting()
        }
        Verb::Execute => status == ProposalStatus::Timelocked,
        Verb::Migrate | Verb::Verify => {
            matches!(status, ProposalStatus::Executed | ProposalStatus::Migrating) && !rolling
        }
        Verb::RollBack { .. } => status.is_executed(),
        Verb::Propose | Verb::Quarantine { .. } => true,
    };
    if fits {
        return Ok(());
    }
    let now = if rolling { "being rolled back" } else { status.name() };
    let needs = match verb {
        Verb::Execute => "only a Timelocked proposal can be executed",
        Verb::Migrate | Verb::Verify => "accounts migrate after execution and before completion",
        Verb::RollBack { .. } => "only an executed upgrade can be rolled back",
        _ => "votes are open only while it is Active or Timelocked",
    };
    Err(format!("Proposal {} is {now}: {needs}.", proposal.terms.id))
}

/// The step that comes next for a proposal, whose checks the proposal's screen shows.
pub fn next_step(
    proposal: &UpgradeProposal,
    phase: Option<Phase>,
    unmigrated: bool,
) -> Option<Verb> {
    match proposal.status {
        ProposalStatus::Active => Some(Verb::Approve),
        ProposalStatus::Timelocked => Some(Verb::Execute),
        s if s.is_executed() && phase == Some(Phase::RollingBack) => {
            Some(Verb::RollBack { give_up: false })
        }
        ProposalStatus::Executed | ProposalStatus::Migrating if unmigrated => Some(Verb::Migrate),
        ProposalStatus::Executed | ProposalStatus::Migrating => Some(Verb::Verify),
        _ => None,
    }
}
