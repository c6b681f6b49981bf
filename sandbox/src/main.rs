//! `control-room-sandbox`: a child process of the control room. Its stdout is for the parent: one line of
//! JSON, or the table of the headless run. Everything else goes to stderr.
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, Result};
use clap::Parser;
use sandbox::{
    args::Args,
    chain::local_chain::ChainConfig,
    flow,
    scenario::{elf_paths::ElfPaths, setup::Setup, world::World},
    shutdown::{StopSignals, stdin_closed},
};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match run_until_stopped(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("control-room-sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until the work or stdin ends, or a signal arrives. A signal is not a failure.
async fn run_until_stopped(args: &Args) -> Result<()> {
    let mut stop = StopSignals::listen()?;
    tokio::select! {
        done = work(args) => done,
        () = stop.received() => Ok(()),
    }
}

async fn work(args: &Args) -> Result<()> {
    let started = Instant::now();
    let elf_dir = match args.elf_dir() {
        Some(dir) => dir,
        None => ElfPaths::default_dir()?,
    };
    let elfs = ElfPaths::find(&elf_dir)?;
    let data = DataDir::open(args.data_dir.clone())?;
    let chain = ChainConfig {
        slot_ms: args.slot_ms(),
        http_port: args.http_port,
        ws_port: args.ws_port,
        records: args.records,
    };
    let (data_dir, vaults, bare) = (data.path(), args.vaults, args.bare);
    let unit_price = args.priority_fee;
    let setup = Setup { elfs, data_dir, vaults, bare, unit_price, chain };
    let world = World::create(&setup).await?;
    eprintln!(
        "the sandbox is ready after {:.1} s: {}",
        started.elapsed().as_secs_f64(),
        world.ready().addresses()
    );
    if args.headless {
        flow::run(&world, io::stdout()).await?;
        eprintln!("the whole flow took {:.1} s", started.elapsed().as_secs_f64());
        if !args.hold {
            return Ok(());
        }
    }
    print_ready(&world)
        .context("Stdout is closed: the parent process cannot learn where the chain is.")?;
    if args.until_ready {
        return Ok(());
    }
    stdin_closed().await
}

fn print_ready(world: &World) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &world.ready())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// The folder of this run: a given one stays, a temporary one is removed at the end.
enum DataDir {
    Given(PathBuf),
    Temporary(tempfile::TempDir),
}

impl DataDir {
    fn open(given: Option<PathBuf>) -> Result<Self> {
        match given {
            Some(dir) => {
                std::fs::create_dir_all(&dir).with_context(|| {
                    format!("The data folder {} cannot be made.", dir.display())
                })?;
                Ok(Self::Given(dir))
            }
            None => Ok(Self::Temporary(
                tempfile::Builder::new()
                    .prefix("control-room-sandbox-")
                    .tempdir()
                    .context("No temporary folder can be made: give one with --data-dir.")?,
            )),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Given(dir) => dir.clone(),
            Self::Temporary(dir) => dir.path().to_owned(),
        }
    }
}
