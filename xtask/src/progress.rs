//! Progress of a long command: one line a step on stderr, with the seconds since the start. Stdout is
//! left to results.

use std::time::Instant;

/// The clock of one command.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    start: Instant,
}

impl Progress {
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Prints one line.
    pub fn say(&self, text: &str) {
        eprintln!("[{:4} s] {text}", self.start.elapsed().as_secs());
    }
}
