//! The one table of commands. Keymap, footer and help screen are all made from it.
use super::command::{Group, KeyCommand, Scope};
use crate::{action::command_id::CommandId, model::ui::Screen};

const FILTERABLE: &[Screen] =
    &[Screen::Programs, Screen::Migration, Screen::Audit, Screen::Sent, Screen::Help];
const PROPOSAL: &[Screen] = &[Screen::Proposal];
const PROGRAMS: &[Screen] = &[Screen::Programs];
const OPENABLE: &[Screen] = &[Screen::Programs, Screen::Proposal];
const COPYABLE: &[Screen] =
    &[Screen::Programs, Screen::Proposal, Screen::Migration, Screen::Audit, Screen::Sent];

const fn act(
    id: CommandId,
    keys: &'static [&'static str],
    word: &'static str,
    help: &'static str,
    place: u8,
) -> KeyCommand {
    KeyCommand { id, keys, scope: Scope::Any, group: Group::Act, word, help, footer: Some(place) }
}

const fn go(
    id: CommandId,
    keys: &'static [&'static str],
    word: &'static str,
    help: &'static str,
) -> KeyCommand {
    KeyCommand { id, keys, scope: Scope::Any, group: Group::Move, word, help, footer: None }
}

const fn member(n: usize, keys: &'static [&'static str], help: &'static str) -> KeyCommand {
    let id = CommandId::Member(n);
    KeyCommand {
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
    id: CommandId,
    keys: &'static [&'static str],
    word: &'static str,
    help: &'static str,
) -> KeyCommand {
    KeyCommand { id, keys, scope: Scope::Dialog, group: Group::Dialog, word, help, footer: None }
}

/// Every command, in the order of the help screen.
pub static COMMANDS: &[KeyCommand] = &[
    act(CommandId::Approve, &["a"], "approve", "Vote for the proposal", 10),
    act(CommandId::Reject, &["r"], "vote no", "Vote against it", 22),
    act(CommandId::Revoke, &["u"], "revoke", "Take your vote back", 23),
    act(CommandId::Cancel, &["c"], "cancel", "Cancel it, or vote to cancel it", 24),
    act(
        CommandId::Execute,
        &["x"],
        "execute",
        "Replace the program's code once the timelock is over",
        11,
    ),
    act(
        CommandId::Migrate,
        &["m"],
        "migrate",
        "Migrate the accounts; starts again where it stopped",
        12,
    ),
    act(CommandId::Verify, &["v"], "verify", "Verify every migrated account, then complete", 13),
    act(
        CommandId::RollBack,
        &["R"],
        "roll back",
        "Vote for rollback; once approved, restore accounts and code",
        14,
    ),
    act(
        CommandId::GiveUp,
        &["W"],
        "give up",
        "The same, giving up accounts that cannot be restored",
        26,
    ),
    act(CommandId::Expire, &["E"], "expire", "Record that the proposal ran out of time", 25),
    go(CommandId::Show(Screen::Programs), &["1"], "programs", "Programs and proposals"),
    go(CommandId::Show(Screen::Proposal), &["2"], "proposal", "The selected proposal in full"),
    go(CommandId::Show(Screen::Migration), &["3"], "migration", "Migration progress"),
    go(CommandId::Show(Screen::Audit), &["4"], "audit", "The audit log"),
    go(CommandId::Show(Screen::Sent), &["5"], "sent", "Transactions that were sent from here"),
    go(CommandId::NextScreen, &["tab"], "next", "Next screen"),
    go(CommandId::PreviousScreen, &["backtab"], "previous", "Previous screen"),
    go(CommandId::Down, &["j", "down"], "down", "Down"),
    go(CommandId::Up, &["k", "up"], "up", "Up"),
    KeyCommand {
        id: CommandId::Left,
        keys: &["h", "left"],
        scope: Scope::On(PROGRAMS),
        group: Group::Move,
        word: "programs",
        help: "To the table of programs",
        footer: None,
    },
    KeyCommand {
        id: CommandId::Right,
        keys: &["l", "right"],
        scope: Scope::On(PROGRAMS),
        group: Group::Move,
        word: "proposals",
        help: "To the table of proposals",
        footer: None,
    },
    go(CommandId::Top, &["gg", "home"], "top", "To the top"),
    go(CommandId::Bottom, &["G", "end"], "bottom", "To the bottom"),
    go(CommandId::PageDown, &["ctrl-d", "pagedown"], "page down", "A page down"),
    go(CommandId::PageUp, &["ctrl-u", "pageup"], "page up", "A page up"),
    KeyCommand {
        id: CommandId::Open,
        keys: &["enter"],
        scope: Scope::On(OPENABLE),
        group: Group::Move,
        word: "open",
        help: "Open: program, then proposal, then migration",
        footer: Some(1),
    },
    KeyCommand {
        id: CommandId::Back,
        keys: &["esc", "backspace"],
        scope: Scope::Any,
        group: Group::Move,
        word: "back",
        help: "Back; dismisses an error or message first, then the filter",
        footer: Some(27),
    },
    KeyCommand {
        id: CommandId::Filter,
        keys: &["/"],
        scope: Scope::On(FILTERABLE),
        group: Group::Look,
        word: "filter",
        help: "Filter the rows: words that must all occur; Enter keeps, Esc clears",
        footer: Some(18),
    },
    KeyCommand {
        id: CommandId::Check,
        keys: &["p"],
        scope: Scope::On(PROPOSAL),
        group: Group::Look,
        word: "check",
        help: "Run the checks of the next step again, signing nothing",
        footer: Some(4),
    },
    KeyCommand {
        id: CommandId::Copy,
        keys: &["y"],
        scope: Scope::On(COPYABLE),
        group: Group::Look,
        word: "copy",
        help: "Copy the selected address, digest or signature to the clipboard",
        footer: Some(30),
    },
    KeyCommand {
        id: CommandId::Help,
        keys: &["?", "6"],
        scope: Scope::Any,
        group: Group::Look,
        word: "help",
        help: "This screen",
        footer: Some(2),
    },
    KeyCommand {
        id: CommandId::Suspend,
        keys: &["ctrl-z"],
        scope: Scope::Any,
        group: Group::Look,
        word: "suspend",
        help: "Back to the shell; fg returns",
        footer: None,
    },
    KeyCommand {
        id: CommandId::Quit,
        keys: &["q", "ctrl-c"],
        scope: Scope::Any,
        group: Group::Look,
        word: "quit",
        help: "Leave the control room",
        footer: Some(3),
    },
    in_dialog(
        CommandId::DialogNext,
        &["tab", "backtab", "left", "right"],
        "change button",
        "Between Cancel and Confirm",
    ),
    in_dialog(
        CommandId::DialogAccept,
        &["enter"],
        "press button",
        "Press the button with the focus: Cancel at first",
    ),
    in_dialog(CommandId::DialogYes, &["y"], "confirm", "Confirm, where no word has to be typed"),
    in_dialog(CommandId::DialogClose, &["esc", "ctrl-c"], "go back", "Close without signing"),
    in_dialog(CommandId::DialogDown, &["down", "pagedown"], "scroll", "Scroll down, or next row"),
    in_dialog(CommandId::DialogUp, &["up", "pageup"], "scroll", "Scroll up, or previous row"),
    member(0, &["F1"], "Sign as the first member"),
    member(1, &["F2"], "Sign as the second member"),
    member(2, &["F3"], "Sign as the third member"),
    member(3, &["F4"], "Sign as the fourth member"),
    member(4, &["F5"], "Sign as the fifth member"),
    KeyCommand {
        id: CommandId::Members,
        keys: &["K"],
        scope: Scope::Sandbox,
        group: Group::Sandbox,
        word: "member",
        help: "Choose whose key signs",
        footer: Some(15),
    },
    KeyCommand {
        id: CommandId::Clock,
        keys: &["T"],
        scope: Scope::Sandbox,
        group: Group::Sandbox,
        word: "clock",
        help: "Move the chain's clock forward",
        footer: Some(16),
    },
];

/// The row of `id` in the table.
pub fn command(id: CommandId) -> Option<&'static KeyCommand> {
    COMMANDS.iter().find(|c| c.id == id)
}
