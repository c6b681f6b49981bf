//! When the sandbox ends: when its parent process closes stdin, or on SIGTERM or SIGINT.
use std::io::Read;

use anyhow::{Context, Result};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// Listens from the moment it is made, so that a signal during the start is not lost.
pub struct StopSignals {
    term: Signal,
    int: Signal,
}

impl StopSignals {
    /// Takes SIGTERM and SIGINT over.
    ///
    /// # Errors
    /// The system gives no signal handler.
    pub fn listen() -> Result<Self> {
        let handler = |kind| signal(kind).context("The system gives no signal handler.");
        Ok(Self { term: handler(SignalKind::terminate())?, int: handler(SignalKind::interrupt())? })
    }

    /// Returns on SIGTERM or SIGINT.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

/// Returns when stdin reaches its end.
///
/// # Errors
/// No thread is left to read it.
pub async fn stdin_closed() -> Result<()> {
    let (ended, end) = oneshot::channel();
    // A plain thread, because the runtime would wait for its own stdin reader at the end of the
    // process.
    std::thread::Builder::new()
        .name("stdin".into())
        .spawn(move || {
            let (mut stdin, mut nothing) = (std::io::stdin().lock(), [0; 256]);
            // Input is ignored; only the end of stdin matters.
            while matches!(stdin.read(&mut nothing), Ok(n) if n > 0) {}
            let _ = ended.send(());
        })
        .context("No thread is left to read stdin.")?;
    let _ = end.await;
    Ok(())
}
