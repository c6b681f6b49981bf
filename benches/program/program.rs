//! Prints the program's figures: `cargo xtask bench program` builds what they are taken from.
use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let as_json = env::args().any(|argument| argument == "--json");
    let report = bench_program::measure();
    if as_json {
        println!("{}", report.json());
    } else {
        print!("{report}");
    }
    if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
