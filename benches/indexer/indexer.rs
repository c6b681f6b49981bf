//! Prints the indexer's figures: `cargo xtask bench indexer` builds it and starts a server for it.
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match bench_indexer::run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("measuring failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
