//! Progress of the seeding: one line a step on stderr, with its duration. Stdout is left to the ready line
//! and to the table of transactions.
use std::{fmt::Display, future::Future, time::Instant};

use anyhow::Result;

/// Runs one step and prints its duration.
///
/// # Errors
/// The step's own, behind a line that names the step.
pub async fn step<T>(what: impl Display, work: impl Future<Output = Result<T>>) -> Result<T> {
    let start = Instant::now();
    let done = work.await;
    let seconds = start.elapsed().as_secs_f64();
    match &done {
        Ok(_) => eprintln!("{what} … {seconds:.1} s"),
        Err(_) => eprintln!("{what} … failed after {seconds:.1} s"),
    }
    done
}
