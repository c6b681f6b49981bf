//! The signals of the system as values. No handler does any work.
use std::io;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGSTOP, SIGTERM, SIGTSTP};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalEvent {
    /// Exit; holds the signal's number.
    Leave(i32),
    /// Stop until SIGCONT.
    Stop,
    /// The process was continued.
    Continue,
}

/// The signals that the screens handle.
#[derive(Debug)]
pub struct Signals {
    term: Signal,
    hup: Signal,
    int: Signal,
    stop: Signal,
    cont: Signal,
}

impl Signals {
    /// Starts listening.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        let on = |n| signal(SignalKind::from_raw(n));
        Ok(Self {
            term: on(SIGTERM)?,
            hup: on(SIGHUP)?,
            int: on(SIGINT)?,
            stop: on(SIGTSTP)?,
            cont: on(SIGCONT)?,
        })
    }

    /// The next signal. Cancel-safe: dropping the future loses none.
    pub async fn next(&mut self) -> SignalEvent {
        tokio::select! {
            _ = self.term.recv() => SignalEvent::Leave(SIGTERM),
            _ = self.hup.recv() => SignalEvent::Leave(SIGHUP),
            _ = self.int.recv() => SignalEvent::Leave(SIGINT),
            _ = self.stop.recv() => SignalEvent::Stop,
            _ = self.cont.recv() => SignalEvent::Continue,
        }
    }
}

/// Stops this process until SIGCONT.
///
/// # Errors
/// When the system refuses.
pub fn stop_here() -> io::Result<()> {
    signal_hook::low_level::raise(SIGSTOP)
}
