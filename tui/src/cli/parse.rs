//! Parses the arguments and the environment variables. This is the only module that reads variables: an empty one counts
//! as unset, surrounding space is trimmed, and a switch accepts several words for yes and no. Clap's error texts are
//! printed without every argument that may hold a secret.
use std::{
    any::TypeId,
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::{Arg, Command, CommandFactory, FromArgMatches, builder::Resettable, error::ErrorKind};
use indexer::ops::redact::{Parts, Secrets};

use super::Cli;
use crate::config::looks_like_a_key;

/// The values that a switch accepts from a variable.
const YES: [&str; 4] = ["1", "true", "yes", "on"];
const NO: [&str; 4] = ["0", "false", "no", "off"];
/// Flags whose value is a URL that may hold a secret.
const SECRET_URL_FLAGS: [&str; 3] = ["--rpc-url", "--ws-url", "--database-url"];
/// Flags whose value names a key file. People may write the key itself there.
const KEY_FLAGS: [&str; 3] = ["--keypair", "--cosigner", "--resume"];
/// A shorter secret is replaced only between clap's quotes, because it may occur in the text by chance.
const MIN_UNQUOTED_LEN: usize = 6;

/// In the value of any other flag, a shorter word is not taken for a key: it may be a mistyped address.
const MIN_KEY_LEN: usize = 64;

/// A command line that runs no command.
#[derive(Debug)]
pub enum Refused {
    /// `--help` or `--version`.
    Help(Box<clap::Error>),
    /// The text says what is wrong.
    Wrong(String),
}

/// The trimmed value of the variable `name`; [`None`] if it is unset or empty.
pub fn variable(name: &str) -> Option<OsString> {
    trimmed(std::env::var_os(name)?)
}

fn trimmed(value: OsString) -> Option<OsString> {
    let kept = match value.to_str() {
        Some(text) => OsString::from(text.trim()),
        None => value,
    };
    Some(kept).filter(|kept| !kept.is_empty())
}

/// Parses the arguments `words`; `read` reads environment variables.
///
/// # Errors
/// The requested help, or what is wrong, without any secret.
pub fn parse(words: &[OsString], read: impl Fn(&str) -> Option<OsString>) -> Result<Cli, Refused> {
    let mut wrong = None;
    let mut used = vec![];
    let command = with_variables(Cli::command(), &read, &mut used, &mut wrong);
    let parsed = command
        .try_get_matches_from(words)
        .and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    match (parsed, wrong) {
        // Help is printed even if a variable is wrong, because it explains the variable.
        (Err(e), _) if is_help(&e) => Err(Refused::Help(Box::new(help(words, e)))),
        (_, Some(text)) => Err(Refused::Wrong(text)),
        (Ok(cli), None) => Ok(cli),
        (Err(e), None) => {
            let text = without_secrets(&e.render().to_string(), words);
            Err(Refused::Wrong(with_variable(text, words, &used)))
        }
    }
}

fn is_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::DisplayVersion
    )
}

/// The help that `words` request, with the names of the variables and never their values.
fn help(words: &[OsString], error: clap::Error) -> clap::Error {
    let named = hidden(Cli::command()).try_get_matches_from(words).err();
    named.filter(is_help).unwrap_or(error)
}

fn hidden(command: Command) -> Command {
    command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(hidden)
}

/// `command` with the values of the variables as defaults. Adds flag and variable of each that is set to `used`, and puts
/// the error about the first wrong value into `wrong`.
fn with_variables(
    command: Command,
    read: &impl Fn(&str) -> Option<OsString>,
    used: &mut Vec<(String, String)>,
    wrong: &mut Option<String>,
) -> Command {
    let command = command.mut_args(|arg| {
        let Some(name) = arg.get_env().map(|name| name.to_string_lossy().into_owned()) else {
            return arg;
        };
        // Clap must not read the variable itself: it would take the untrimmed value.
        let arg = arg.env(Resettable::Reset);
        let Some(value) = read(&name).and_then(trimmed) else { return arg };
        match accepted(&arg, &value) {
            Ok(value) => {
                let flag = arg.get_long().map(|long| format!("--{long}")).unwrap_or_default();
                used.push((flag, name));
                // Clap needs defaults that live as long as the process. This runs once, so leaking is fine.
                let value: &'static OsStr = Box::leak(value.into_boxed_os_str());
                arg.default_value(value)
            }
            Err(allowed) => {
                let what = format!("error: The variable {name} cannot have this value: it takes {allowed}. Empty counts as unset.\n");
                wrong.get_or_insert(what);
                arg
            }
        }
    });
    command.mut_subcommands(|sub| with_variables(sub, read, used, wrong))
}

/// `value` in the spelling that `arg` parses.
///
/// # Errors
/// The values that `arg` accepts.
fn accepted(arg: &Arg, value: &OsStr) -> Result<OsString, String> {
    let text = value.to_string_lossy();
    if is_switch(arg) {
        let is = |words: [&str; 4]| words.iter().any(|word| word.eq_ignore_ascii_case(&text));
        return match (is(YES), is(NO)) {
            (true, _) => Ok("true".into()),
            (_, true) => Ok("false".into()),
            _ => Err(format!("{} for yes and {} for no", YES.join(", "), NO.join(", "))),
        };
    }
    let known = arg.get_possible_values();
    let names: Vec<_> = known.iter().map(|known| known.get_name()).collect();
    match known.iter().any(|known| known.matches(&text, true)) {
        true => Ok(text.to_ascii_lowercase().into()),
        false if names.is_empty() => Ok(value.to_owned()),
        false => Err(names.join(", ")),
    }
}

/// Whether `arg` is a switch.
fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), clap::ArgAction::SetTrue)
        || arg.get_value_parser().type_id() == TypeId::of::<bool>()
}

/// Clap's error `text`. If it names a flag that is not among the arguments, adds the variable that the value came from.
fn with_variable(mut text: String, words: &[OsString], used: &[(String, String)]) -> String {
    for (flag, name) in used.iter().filter(|(flag, _)| !flag.is_empty()) {
        let is_written = words
            .iter()
            .any(|w| w.to_str().is_some_and(|w| w == flag || w.starts_with(&format!("{flag}="))));
        if !is_written && text.contains(&format!("'{flag} ")) {
            text.push_str(&format!("\nThe value is that of the variable {name}.\n"));
        }
    }
    text
}

/// Clap's error `text` about `words`, without the words that may hold a secret.
fn without_secrets(text: &str, words: &[OsString]) -> String {
    let found = secret_words(words);
    // A shell may have split a secret with spaces, so parts can be short: replace those only between clap's quotes.
    let (short, long): (Vec<_>, Vec<_>) =
        found.iter().partition(|word| word.len() < MIN_UNQUOTED_LEN);
    let text = Secrets::new(long.into_iter().map(String::as_str)).scrub(text);
    short.iter().fold(text, |text, word| text.replace(&format!("'{word}'"), "'…'"))
}

/// The arguments that may hold a secret. The shell splits an unquoted password or seed phrase at spaces, so after an
/// incomplete value everything up to the next flag is part of the secret.
fn secret_words(words: &[OsString]) -> Vec<String> {
    let (mut found, mut flag, mut is_open) = (vec![], None, false);
    for word in words.iter().skip(1).map(|word| word.to_string_lossy()) {
        let (name, value) = match word.strip_prefix("--").and_then(|_| word.split_once('=')) {
            Some((name, value)) => (Some(name.to_owned()), Some(value.to_owned())),
            None if word.starts_with('-') => (Some(word.clone().into_owned()), None),
            None => (flag.take(), Some(word.clone().into_owned())),
        };
        let Some(value) = value else {
            (flag, is_open) = (name, false);
            continue;
        };
        let whole = is_complete(name.as_deref(), &value);
        if is_open && name.is_none() || whole.is_some() {
            found.push(value);
        }
        is_open = whole.map_or(is_open && name.is_none(), |whole| !whole);
    }
    found
}

/// Whether the possibly secret `value` of the flag `name` is complete; [`None`] if it cannot be a secret.
fn is_complete(name: Option<&str>, value: &str) -> Option<bool> {
    let is_address = value.contains("://") || value.contains('@');
    match name {
        Some(name) if KEY_FLAGS.contains(&name) => Some(Path::new(value).exists()),
        Some(name) if SECRET_URL_FLAGS.contains(&name) => Some(Parts::read(value).is_ok()),
        _ if is_address => Some(Parts::read(value).is_ok()),
        _ => {
            let is_list = value.contains([' ', ',', '[']);
            ((is_list || value.len() >= MIN_KEY_LEN) && looks_like_a_key(value)).then_some(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str], variables: &[(&str, &str)]) -> Result<Cli, String> {
        let words: Vec<OsString> =
            ["control-room"].iter().chain(words).map(|word| OsString::from(*word)).collect();
        let read = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, v)| OsString::from(*v))
        };
        parse(&words, read).map_err(|refused| match refused {
            Refused::Help(help) => help.render().to_string(),
            Refused::Wrong(text) => text,
        })
    }

    /// Every environment variable of the command line, and whether it is a switch.
    fn variables() -> Vec<(String, bool)> {
        let mut todo = vec![Cli::command()];
        let mut out = vec![];
        while let Some(command) = todo.pop() {
            for arg in command.get_arguments() {
                let name = arg.get_env().map(|name| name.to_string_lossy().into_owned());
                out.extend(name.map(|name| (name, is_switch(arg))));
            }
            todo.extend(command.get_subcommands().cloned());
        }
        out
    }

    #[test]
    fn every_switch_accepts_the_usual_words_for_yes_and_no() {
        let switches: Vec<_> = variables().into_iter().filter(|v| v.1).map(|v| v.0).collect();
        assert!(switches.iter().any(|name| name == "CONTROL_ROOM_READ_ONLY"), "{switches:?}");
        assert!(switches.len() >= 3, "{switches:?}");
        for name in &switches {
            for (words, on) in [(YES, true), (NO, false)] {
                for word in words {
                    for value in [word.to_owned(), word.to_uppercase(), format!(" {word}\r\n")] {
                        let cli = line(&["status"], &[(name, &value)]).unwrap().common;
                        let read = match name.as_str() {
                            "CONTROL_ROOM_READ_ONLY" => cli.read_only,
                            "CONTROL_ROOM_ASCII" => cli.ascii.unwrap(),
                            "CONTROL_ROOM_MOUSE" => cli.mouse.unwrap(),
                            other => panic!("{other} has no test"),
                        };
                        assert_eq!(read, on, "{name}={value:?}");
                    }
                }
            }
            let refused = line(&["status"], &[(name, "maybe")]).unwrap_err();
            assert!(refused.contains(name) && refused.contains("1, true, yes, on"), "{refused}");
            assert!(line(&["status"], &[(name, "maybe")]).is_err());
            assert!(line(&["--help"], &[(name, "maybe")]).unwrap_err().contains("Usage"));
        }
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        for (name, _) in variables() {
            for value in ["", "  ", "\r\n"] {
                let cli = line(&["status"], &[(&name, value)]).unwrap().common;
                let unset = line(&["status"], &[]).unwrap().common;
                assert_eq!(format!("{cli:?}"), format!("{unset:?}"), "{name}={value:?}");
            }
        }
    }

    #[test]
    fn a_flag_with_an_empty_path_is_refused() {
        for flag in ["--config", "--data-dir", "--log-file"] {
            for empty in ["", " "] {
                let refused = line(&["config", "check", flag, empty], &[]).unwrap_err();
                let is_told = refused.contains(flag) && refused.contains("the path is empty");
                assert!(is_told && refused.contains("leave the option out"), "{refused}");
            }
        }
    }

    #[test]
    fn a_tilde_in_the_path_of_the_configuration_is_expanded() {
        let home = etcetera::home_dir().unwrap();
        for words in [&["--config", "~/x.toml"] as &[&str], &["--config=~/x.toml"]] {
            let cli = line(&[&["config", "check"][..], words].concat(), &[]).unwrap();
            assert_eq!(cli.common.config, Some(home.join("x.toml")));
        }
        let variable = [("CONTROL_ROOM_CONFIG", "~/x.toml")];
        let cli = line(&["config", "check"], &variable).unwrap();
        assert_eq!(cli.common.config, Some(home.join("x.toml")));
    }

    #[test]
    fn space_and_line_ends_around_a_value_are_trimmed() {
        let set = [
            ("CONTROL_ROOM_RPC_URL", " https://a.example/key \r\n"),
            ("CONTROL_ROOM_DATA_DIR", "/data \r"),
            ("CONTROL_ROOM_KEYPAIR", "/id.json\r\n"),
            ("CONTROL_ROOM_LOG_LEVEL", "DEBUG\r"),
        ];
        let cli = line(&["status"], &set).unwrap().common;
        assert_eq!(cli.rpc_url.unwrap().as_str(), "https://a.example/key");
        assert_eq!(cli.data_dir.unwrap(), Path::new("/data"));
        assert_eq!(cli.keypair.unwrap().path().unwrap(), Path::new("/id.json"));
        assert_eq!(cli.log_level, Some(crate::config::LogLevel::Debug));
    }

    #[test]
    fn a_flag_overrides_its_variable_before_and_after_the_command() {
        let set = [("CONTROL_ROOM_RPC_URL", "https://v.example"), ("CONTROL_ROOM_ASCII", "0")];
        for words in [
            ["--rpc-url", "https://f.example", "--ascii", "status"],
            ["status", "--ascii", "--rpc-url", "https://f.example"],
        ] {
            let cli = line(&words, &set).unwrap().common;
            assert_eq!(cli.rpc_url.unwrap().as_str(), "https://f.example");
            assert_eq!(cli.ascii, Some(true));
        }
        assert_eq!(line(&["status"], &set).unwrap().common.ascii, Some(false));
    }

    #[test]
    fn a_wrong_value_of_a_variable_is_refused_with_the_allowed_values() {
        let refused = line(&["status"], &[("CONTROL_ROOM_THEME", "postgres://u:hunter2@h/x")]);
        let refused = refused.unwrap_err();
        assert!(refused.contains("CONTROL_ROOM_THEME") && refused.contains("mono"), "{refused}");
        assert!(!refused.contains("hunter"), "{refused}");
    }

    #[test]
    fn help_names_variables_and_never_their_values() {
        let help = line(&["--help"], &[("CONTROL_ROOM_KEYPAIR", "[12,34]")]).unwrap_err();
        assert!(help.contains("CONTROL_ROOM_KEYPAIR") && !help.contains("12,34"), "{help}");
    }

    #[test]
    fn a_wrong_line_is_explained_without_its_secrets() {
        let key = format!("[{}]", vec!["217"; 64].join(","));
        for words in [
            &["postgres://bob:hunt/hunt@h/x"] as &[&str],
            &["status", "postgres://bob:hunt'hunt@h/x"],
            &["status", "--database-ur", "postgres://bob:hunthunt@h/x"],
            &["status", "--database-ur=postgres://bob:hunthunt@h/x"],
            &["status", "--database-url", "postgres://bob:one", "hunt", "hunt@h/x"],
            &["--database-url", "postgres://bob:one", "hunt", "status"],
            &["status", "--log-level", "https://rpc.example/hunthunt"],
            &["status", "--keypair", "abandon", "hunt", "ability"],
            &["status", "--keypair", "abandon", "hunthunt"],
            &["status", &key],
            &["status", "hunt hunter hunting"],
            &["approve", "--program", "https://rpc.example/hunthunt"],
            &["status", "bob:hunt@h/x"],
        ] {
            let refused = line(words, &[]).unwrap_err();
            assert!(refused.starts_with("error:"), "{refused}");
            assert!(!refused.contains("hunt") && !refused.contains("217"), "{words:?}: {refused}");
        }
        let refused = line(&["statsu"], &[]).unwrap_err();
        assert!(refused.contains("statsu") && refused.contains("status"), "{refused}");
    }
}
