//! The one table of commands. Keymap, footer and help screen come from it and from nowhere else.
use super::command::{Command, Group, Id, Scope};
use crate::model::ui::Screen;

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
    act(Id::Reject, &["r"], "vote no", "Vote against it", 22),
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
        help: "Back; dismisses an error or message first, then the filter",
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
    in_dialog(Id::DialogClose, &["esc", "ctrl-c"], "go back", "Close without signing"),
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
