//! Side effects that `update` requests. The runtime's `EffectRunner` carries them out and answers
//! with actions.
use backend::Operation;

use crate::{model::Ticket, notify::Notice};

/// One requested side effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read the chain for a dialog.
    Prepare(Ticket, Operation),
    /// Read the chain for the checks on the proposal's screen; the intent is thrown away.
    Check(Ticket, Operation),
    /// Forget the intent of a dialog that was closed.
    Discard(Ticket),
    /// Sign and send the intent of this ticket.
    Submit(Ticket),
    /// Sandbox: sign with this member's key.
    UseMember(usize),
    /// Sandbox: move the chain's clock forward by seconds.
    MoveClock(u32),
    /// Give these notices, each once ever.
    Notify(Vec<Notice>),
    /// Put text on the clipboard.
    Copy(String),
    /// Put the terminal back and stop until the shell continues us.
    Suspend,
}
