//! The `control-room` binary: terminal screens and headless commands on top of the mirror (`indexer`)
//! and the `backend`.
//!
//! The screens run one loop: `Event → keymap → Action → update(&mut Model) → (Effects, dirty) →
//! view(&Model)`. A new screen is one file in `view/`, its state in `model/`, and its rows in
//! `keymap/table.rs`.
//!
//! # What this crate may not do
//!
//! - It holds no key material and builds no transaction: the `backend` does both.
//! - `model` holds tickets of intents, never an `Intent`; only `runtime` keeps those.
//! - `view` does no I/O and reads no clock. `update` is pure: it returns effects as values.
//!
//! # Modules, and what each imports from this crate (without tests)
//!
//! | module | holds | imports |
//! |---|---|---|
//! | `strings`, `text`, `theme` | user-visible texts, formatting, colours | – |
//! | `widgets` | table, panel, meter | `text`, `theme` |
//! | `model` | everything the screens show | `strings`, `text`, `theme` |
//! | `action` | every change of the model, as a value; the names of the commands | `model` |
//! | `keymap` | keys and commands | `action`, `model`, `strings` |
//! | `notify` | notices: which are due, and their delivery | `model`, `text` |
//! | `effect` | requested side effects, as values | `model`, `notify` |
//! | `update` | applies actions to the model | `action`, `effect`, `keymap`, `model`, `notify`, `strings`, `text` |
//! | `view` | draws the model | `action`, `keymap`, `model`, `strings`, `text`, `theme`, `widgets` |
//! | `config` | settings from flags, environment and file | `notify`, `text`, `theme` |
//! | `cli` | command line | `config` |
//! | `logging` | the log file | `config` |
//! | `session` | opens store, key and node | `config`, `model`, `text` |
//! | `runtime` | terminal, event loop, effect runner | `action`, `effect`, `keymap`, `model`, `notify`, `session`, `strings`, `text`, `theme`, `update`, `view` |
//! | `sandbox` | starts the local chain | `cli`, `config`, `model`, `runtime`, `session`, `text` |
//! | `headless` | commands without screens | `cli`, `config`, `model`, `runtime`, `session`, `strings`, `text` |
mod action;
mod cli;
mod config;
mod effect;
#[cfg(test)]
mod fixtures;
mod headless;
mod keymap;
mod logging;
mod model;
mod notify;
mod runtime;
mod sandbox;
mod session;
mod strings;
mod text;
mod theme;
mod update;
mod view;
mod widgets;

use std::process::ExitCode;

use anyhow::{Context, Result};
use indexer::ops::redact::Secrets;

use crate::{
    cli::{Cli, Command},
    config::{Address, Settings},
    headless::DataSource,
    runtime::{RunOptions, TestFailure},
    session::Session,
};

/// Runs the command line and returns the exit code: 0 done, 1 failed, 2 not confirmed or wrong usage, 128 plus the
/// signal's number when a signal ended the screens. For `index --once`, `index --verify` and `audit verify`, 1 means
/// that something differs and 2 that the command failed.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let cli = match cli::parse::parse(&words, |name| std::env::var_os(name)) {
        Ok(cli) => cli,
        Err(refused) => return headless::report_refusal(&refused),
    };
    let json = headless::wants_json(cli.command.as_ref());
    let failed = headless::failure_code(cli.command.as_ref());
    let mut secrets = Secrets::default();
    match start(cli, &mut secrets) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            headless::report_error(&error, json, &secrets);
            ExitCode::from(failed)
        }
    }
}

fn start(cli: Cli, secrets: &mut Secrets) -> Result<u8> {
    if let Some(Command::Config(command)) = &cli.command {
        return headless::config(command, cli.common.config.as_deref());
    }
    // An error while loading the settings may contain a flag's URL, so collect the flags' secrets first.
    let given = &cli.common;
    let given = [&given.rpc_url, &given.ws_url, &given.database_url].into_iter().flatten();
    *secrets = Secrets::new(given.map(Address::as_str));
    let mut settings = Settings::load(&cli.common)?;
    if let Some(Command::Index(args)) = &cli.command {
        args.override_settings(&mut settings);
    }
    *secrets = Secrets::new(settings.addresses());
    let mirror = matches!(&cli.command, Some(Command::Index(_)));
    settings.log_to_stderr = logging::start(&settings, secrets, mirror)?;
    let system = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("The system gives no threads.")?;
    let code = system.block_on(run(cli, settings, secrets.clone()));
    // Do not wait for tasks that still wait for a node.
    system.shutdown_background();
    code
}

async fn run(cli: Cli, settings: Settings, secrets: Secrets) -> Result<u8> {
    let fail = match (cli.debug_panic, cli.debug_error) {
        (true, _) => Some(TestFailure::Panic),
        (_, true) => Some(TestFailure::Error),
        _ => None,
    };
    match cli.command {
        Some(Command::Sandbox(args)) if args.headless => {
            sandbox::headless(&args, settings.priority_fee).await
        }
        Some(Command::Sandbox(args)) => {
            let keep = cli.common.data_dir.is_some();
            sandbox::screens(&args, settings, keep, fail).await
        }
        Some(Command::Replay(args)) => headless::replay(&args).await,
        Some(Command::MigrateDb(args)) => headless::migrate_db(&settings, &args).await,
        Some(Command::Doctor(output)) => headless::doctor(settings, secrets, output.json).await,
        Some(Command::Tx(args)) => headless::tx(&settings, &secrets, &args).await,
        Some(command) => {
            let session = match headless::data_source(&command) {
                DataSource::ReadMirror => Session::open_reading(settings, secrets).await?,
                DataSource::Mirror => Session::open(settings, secrets).await?,
                DataSource::MirrorIfReachable => {
                    Session::open_if_reachable(settings, secrets).await?
                }
                DataSource::Chain => Session::open_or_do_without(settings, secrets).await?,
            };
            headless::run(&session, command).await
        }
        None => {
            let session = Session::open(settings, secrets).await?;
            let signer = session.signer()?;
            runtime::run(session, signer, RunOptions { members: vec![], fail }).await
        }
    }
}
