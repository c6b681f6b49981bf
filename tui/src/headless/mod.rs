//! The commands that run without screens. Each prints text or one JSON value, and its exit code is 0, 1 or 2.
mod act;
mod audit;
mod cluster;
mod current;
mod doctor;
mod index;
mod migrate_db;
mod propose;
mod replay;
mod setup;
mod show;
mod signing;
mod status;
mod target;
mod tx;
mod webhooks;

use std::{io::Write, process::ExitCode};

pub use self::{
    doctor::run as doctor, migrate_db::run as migrate_db, replay::run as replay, tx::run as tx,
};

use anyhow::{Context, Result, bail};
use indexer::ops::redact::Secrets;

use crate::{
    cli::{
        Command, Config,
        mirror::{Audit, AuditCommand},
        parse::Refused,
    },
    config,
    session::Session,
};

/// Exit code when `--yes` is missing, and when the command line is wrong.
pub const NOT_CONFIRMED_EXIT_CODE: u8 = 2;

const HOUR_SECONDS: u32 = 3_600;
const DAY_SECONDS: u32 = 24 * HOUR_SECONDS;

/// Runs a command on an open session.
///
/// # Errors
/// A sentence for the operator.
pub async fn run(session: &Session, command: Command) -> Result<u8> {
    match command {
        Command::Status(output) => status::run(session, output.json).await,
        Command::Audit(args) => audit::run(session, &args).await,
        Command::Index(args) => index::run(session, &args).await,
        Command::Webhooks(command) => webhooks::run(session, &command).await,
        Command::Propose(args) => propose::run(session, &args).await,
        Command::Multisig(multisig) => setup::multisig(session, &multisig).await,
        Command::Program(program) => setup::program(session, &program).await,
        Command::Buffer(buffer) => setup::buffer(session, &buffer).await,
        Command::Close(args) => setup::close(session, &args).await,
        Command::Pause(args) => setup::pause(session, &args).await,
        Command::Unpause(args) => setup::unpause(session, &args).await,
        Command::Execute(args) => act::execute(session, &args).await,
        Command::Cancel(args) => act::cancel(session, &args, false).await,
        Command::Veto(args) => act::cancel(session, &args, true).await,
        other => match act::verb(other) {
            Some((verb, args)) => act::run(session, verb, &args).await,
            None => Ok(0),
        },
    }
}

/// Whether `command` has `--json`: its failure is then printed as JSON as well.
pub fn wants_json(command: Option<&Command>) -> bool {
    match command {
        Some(Command::Status(o)) => o.json,
        Some(Command::Propose(a)) => a.output.json,
        Some(Command::Webhooks(w)) => w.output().json,
        Some(
            c @ (Command::Multisig(_)
            | Command::Program(_)
            | Command::Buffer(_)
            | Command::Pause(_)
            | Command::Unpause(_)
            | Command::Close(_)),
        ) => setup::wants_json(c),
        Some(Command::Execute(a)) => a.act.output.json,
        Some(Command::Audit(a)) => audit::wants_json(a),
        Some(Command::MigrateDb(a)) => a.output.json,
        Some(Command::Replay(a)) => a.output.json,
        Some(Command::Doctor(o)) => o.json,
        Some(Command::Tx(a)) => a.output.json,
        Some(Command::Index(a)) => a.output.json,
        Some(Command::Quarantine(a)) => a.act.output.json,
        Some(Command::Rollback(a)) => a.act.output.json,
        Some(
            Command::Approve(a)
            | Command::Reject(a)
            | Command::Revoke(a)
            | Command::Cancel(a)
            | Command::Expire(a)
            | Command::Veto(a)
            | Command::Migrate(a)
            | Command::Verify(a),
        ) => a.output.json,
        Some(Command::Sandbox(_) | Command::Config(_)) | None => false,
    }
}

/// Where a command reads from; it decides how `Session` opens the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataSource {
    /// The mirror as it is. Nothing is written to it, and no node is needed.
    ReadMirror,
    /// The mirror, opened for writing.
    Mirror,
    /// The mirror if its store answers, else the chain.
    MirrorIfReachable,
    /// The chain. A store that cannot be opened is replaced by an empty one, with a warning.
    Chain,
}

/// Where `command` reads from.
pub fn data_source(command: &Command) -> DataSource {
    match command {
        Command::Audit(a) if !matches!(a.command, None | Some(AuditCommand::List(_))) => {
            DataSource::ReadMirror
        }
        Command::Audit(_) | Command::Index(_) | Command::Webhooks(_) => DataSource::Mirror,
        Command::Status(_) => DataSource::MirrorIfReachable,
        _ => DataSource::Chain,
    }
}

/// The exit code when `command` fails.
pub fn failure_code(command: Option<&Command>) -> u8 {
    match command {
        // For these, 1 means that the mirror differs from the chain, or that the log was changed.
        Some(Command::Index(a)) if a.once || a.verify => 2,
        Some(Command::Audit(Audit { command: Some(AuditCommand::Verify(_)), .. })) => 2,
        _ => 1,
    }
}

/// Runs `config print-default` or `config check`.
///
/// # Errors
/// What is wrong with the file.
pub fn config(command: &Config, path: Option<&std::path::Path>) -> Result<u8> {
    match command {
        Config::PrintDefault => print(config::DEFAULT_FILE.trim_end())?,
        Config::Check => {
            let named = path.is_some();
            let path = path.map_or_else(config::default_path, |p| Ok(p.to_owned()))?;
            // A missing file that --config names is an error, because every other command refuses it too.
            if named || path.exists() {
                config::check_file(&path)?;
                print(&format!("{} is fine.", path.display()))?;
            } else {
                print(&format!("There is no {}; the defaults are used.", path.display()))?;
            }
        }
    }
    Ok(0)
}

/// Prints a line. A closed pipe, for example into `head`, is not an error.
fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("The output cannot be written."),
    }
}

fn print_json(value: &serde_json::Value) -> Result<()> {
    print(&serde_json::to_string_pretty(value).context("The output cannot be written.")?)
}

/// Prints a warning to stderr, without secrets.
fn warn(session: &Session, text: &str) {
    eprintln!("Warning: {}", crate::text::clean(&session.secrets.scrub(text)));
}

/// A failure whose JSON is printed already. It keeps `report_error` from printing a second JSON value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct PrintedFailure(String);

/// Fails with `reason`. Prints `json` first, if given: the caller has put `reason` into it.
fn failed<T>(reason: String, json: Option<&serde_json::Value>) -> Result<T> {
    match json {
        Some(value) => {
            print_json(value)?;
            Err(PrintedFailure(reason).into())
        }
        None => bail!(reason),
    }
}

/// An error and its causes as sentences. A cause that the outer text already contains is left out.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for link in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = link;
        } else if !text.contains(&link) {
            let between = if text.ends_with('.') { " The cause: " } else { ": " };
            text.push_str(between);
            text.push_str(&link);
        }
    }
    text
}

/// Prints help, or what is wrong with the command line, and returns the exit code.
pub fn report_refusal(refused: &Refused) -> ExitCode {
    match refused {
        Refused::Help(help) => {
            let _ = help.print();
            ExitCode::from(u8::try_from(help.exit_code()).unwrap_or(NOT_CONFIRMED_EXIT_CODE))
        }
        Refused::Wrong(text) => {
            let _ = write!(std::io::stderr().lock(), "{text}");
            ExitCode::from(NOT_CONFIRMED_EXIT_CODE)
        }
    }
}

/// Prints `error` to stderr and, with `--json`, to stdout as JSON.
pub fn report_error(error: &anyhow::Error, json: bool, secrets: &Secrets) {
    let text = secrets.scrub(&sentence(error));
    let text = crate::text::clean(&text);
    if json && !error.is::<PrintedFailure>() {
        let _ = print_json(&serde_json::json!({ "error": text }));
    }
    let _ = writeln!(std::io::stderr().lock(), "control-room: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_appended_once_and_not_repeated() {
        let inner = || anyhow::anyhow!("No such file");
        let text_of = |outer: &'static str| sentence(&inner().context(outer));
        assert_eq!(
            text_of("It cannot be read. Check it."),
            "It cannot be read. Check it. The cause: No such file"
        );
        assert_eq!(text_of("It cannot be read"), "It cannot be read: No such file");
        assert_eq!(
            text_of("No such file here."),
            "No such file here.",
            "the cause is not repeated"
        );
    }
}
