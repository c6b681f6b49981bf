//! Side effects that `update` requests. `EffectRunner` in `runtime` carries them out and answers with actions.
use backend::Operation;

use crate::{model::Ticket, notify::Notice};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make a preflight for a dialog and keep its intent.
    Prepare(Ticket, Operation),
    /// Make a preflight for the proposal's screen and drop its intent.
    Check(Ticket, Operation),
    /// Drop the intent of a closed dialog.
    Discard(Ticket),
    /// Sign and send the intent of this ticket.
    Submit(Ticket),
    /// Sandbox: sign with this member's key.
    UseMember(usize),
    /// Sandbox: move the chain's clock forward by seconds.
    MoveClock(u32),
    /// Deliver these notices, unless another process has delivered them.
    Notify(Vec<Notice>),
    /// Copy text to the clipboard.
    Copy(String),
    /// Restore the terminal and stop until the shell continues the process.
    Suspend,
}
