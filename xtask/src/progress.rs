//! What the operator reads while something long runs: one line a step, with the seconds since the
//! start, on stderr, so that stdout stays for results.

use std::time::Instant;

/// The clock of one command.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    start: Instant,
}

impl Progress {
    /// Starts the clock.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Says what happens now.
    pub fn say(&self, text: &str) {
        eprintln!("[{:4} s] {text}", self.start.elapsed().as_secs());
    }
}
