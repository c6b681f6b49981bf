//! The configuration file: its keys, its parser, and the template that `config print-default` prints.
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Deserializer, Serialize};
use solana_pubkey::Pubkey;

use super::{Address, KeyFile, priority_fee, webhooks::WebhookKeys};
use crate::{notify::NotifyMethod, text::clean, theme::ThemeName};

/// Error texts repeat the name of a key or a choice only up to this length; a longer one may be a secret.
const MAX_NAME_LEN: usize = 24;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Errors only.
    Error,
    /// Also warnings.
    Warn,
    /// Also what happens.
    #[default]
    Info,
    /// Also details.
    Debug,
}

impl LogLevel {
    /// The name in a filter of `tracing`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object on each line.
    Json,
}

/// One entry of `endpoints`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeKeys {
    pub rpc_url: Address,
    pub ws_url: Option<Address>,
}

/// The section `[index]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndexKeys {
    /// Address of /healthz, /readyz and /metrics.
    pub listen: Option<SocketAddr>,
    /// If set, the log goes to stderr unless `log_file` is set too.
    pub log_format: Option<LogFormat>,
    /// How often all accounts are read again.
    pub reconcile_seconds: Option<NonZeroU64>,
    /// Slots that the mirror or its node may lag.
    pub behind_slots: Option<NonZeroU64>,
}

/// The section `[retention]`: days that rows are kept, for ever without a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionKeys {
    /// Events of this machine, such as reconnects and repairs.
    pub ops_days: Option<NonZeroU32>,
    /// Announcements that every webhook has received.
    pub outbox_days: Option<NonZeroU32>,
    /// Records and backups of closed accounts.
    pub closed_days: Option<NonZeroU32>,
}

/// The content of the file. `Settings` documents the keys that it has too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    pub rpc_url: Option<Address>,
    pub ws_url: Option<Address>,
    pub endpoints: Vec<NodeKeys>,
    pub keypair: Option<KeyFile>,
    #[serde(deserialize_with = "priority_fee::deserialize")]
    pub priority_fee: Option<u64>,
    pub outcome_timeout_seconds: Option<NonZeroU64>,
    pub database_url: Option<Address>,
    pub data_dir: Option<PathBuf>,
    pub read_only: bool,
    pub notify: Option<NotifyMethod>,
    pub theme: Option<ThemeName>,
    pub ascii: bool,
    pub mouse: bool,
    pub log_file: Option<PathBuf>,
    pub log_level: Option<LogLevel>,
    pub index: IndexKeys,
    pub retention: RetentionKeys,
    pub webhooks: Vec<WebhookKeys>,
    #[serde(deserialize_with = "names")]
    pub names: BTreeMap<Pubkey, String>,
}

fn names<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<Pubkey, String>, D::Error> {
    let raw = BTreeMap::<String, String>::deserialize(d)?;
    raw.into_iter()
        .map(|(key, name)| match (key.parse(), name.trim()) {
            (Ok(key), name) if !name.is_empty() && name.len() <= 32 => Ok((key, clean(name))),
            (Ok(_), _) => {
                Err(serde::de::Error::custom(format!("the name of {key} must have 1 to 32 bytes")))
            }
            (Err(_), _) => Err(serde::de::Error::custom(format!("{key} is not an address"))),
        })
        .collect()
}

impl File {
    /// Reads and parses the file at `path`.
    ///
    /// # Errors
    /// What is wrong, with the file and the line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "The configuration {} cannot be read. Check the path, or leave --config out.",
                path.display()
            )
        })?;
        toml::from_str(&text).map_err(|e| {
            let at = e.span().map_or(0, |s| s.start);
            let line = text.bytes().take(at).filter(|b| *b == b'\n').count().saturating_add(1);
            let message = without_value(e.message());
            anyhow!(
                "The configuration {} has a mistake in line {line}: {message}. `control-room config print-default` shows every key.",
                path.display()
            )
        })
    }
}

/// The error text of the TOML parser without the value, which may be a password or a key on the wrong line.
fn without_value(message: &str) -> String {
    let message = message.replace('\n', " ");
    let kinds = ["invalid type: ", "invalid value: "];
    let found = kinds.iter().find_map(|kind| Some((kind, message.strip_prefix(kind)?)));
    if let Some((kind, rest)) = found {
        let found = rest.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        let wanted = rest.rsplit_once(", expected ").map_or("another", |(_, wanted)| wanted);
        return format!("{kind}{found}, expected {wanted}");
    }
    // The name of a key or of a choice is repeated, so that the operator finds it.
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let (before, wanted) = match message.rsplit_once("`, expected ") {
        Some((before, wanted)) => (before, format!("`, expected {wanted}")),
        None => match message.rsplit_once('`') {
            Some((before, rest)) => (before, format!("`{rest}")),
            None => return message,
        },
    };
    match before.split_once('`') {
        Some((what, name)) if name.len() > MAX_NAME_LEN || !name.chars().all(is_name) => {
            format!("{what}`…{wanted}")
        }
        _ => message,
    }
}

/// The template with every key, commented out and set to its default or an example.
pub const DEFAULT_FILE: &str = r#"# Control room. Flags come first, then CONTROL_ROOM_* variables, then this file.

# JSON-RPC of the node, and its websocket; without ws_url the port after rpc_url's is taken.
# rpc_url = "http://127.0.0.1:8899"
# ws_url = "ws://127.0.0.1:8900"

# Further nodes of the same cluster: when one fails or falls behind, the mirror goes on with the next.
# endpoints = [{ rpc_url = "https://other.example", ws_url = "wss://other.example" }]

# Where finalized events are announced while `control-room index` runs: proposals that were created, approved,
# ready, executed and so on. Each webhook can also be a [[webhooks]] section. Messages are signed; the secret is
# in a file that only you can read, or in the variable that secret_env names.
# kinds: all of them where the key is left out. format: json, discord or slack. templates: a text for
# each kind, with {name}, {what}, {id}, {version}, {eta}, {actor}, {program}, {proposal}, {multisig},
# {signature} and {slot}.
# webhooks = [{ name = "multisig", url = "https://hooks.example/x", secret_file = "/home/you/multisig.secret", kinds = ["Created", "Approved", "ApprovalLost", "Ready", "Executed", "Completed", "RollbackApproved", "RolledBack", "Cancelled", "Vetoed", "Rejected", "Expired", "Paused", "Unpaused"], format = "json", templates = { Executed = "{name} runs version {version}: {signature}" } }]

# The key file that signs, as the Solana command line writes it. Without one nothing can be signed.
# Here and in every other path ~/ is your home folder.
# keypair = "/home/you/.config/solana/id.json"

# Paid with every transaction on top of the base fee: micro-lamports per compute unit of its limit.
# priority_fee = 0

# How long the outcome of a sent transaction is waited for; then its signature and the command that
# looks again are shown. Less than a minute and a half is too short to learn that it was dropped.
# outcome_timeout_seconds = 180

# Postgres for a multisig's mirror; without it the mirror is a file in data_dir.
# In user and password write : as %3A, / as %2F, ? as %3F, # as %23, @ as %40 and % as %25.
# database_url = "postgres://user:password@host:5432/control_room"

# Mirror and archive; by default control-room in the XDG data folder.
# data_dir = "/home/you/.local/share/control-room"

# Switches every signature off; neither a flag nor a variable can switch them on again.
# read_only = false

# auto, desktop, osc777, osc9, bell or off.
# notify = "auto"

# default, colour-blind or mono. NO_COLOR means mono.
# theme = "default"
# ascii = false

# Lets the wheel move the selection; the terminal then needs Shift to select text.
# mouse = false

# log_file = "/home/you/control-room.log"
# log_level = "info"

# What `control-room index` does.
[index]
# Serves /healthz, /readyz and /metrics there; without it nothing is served.
# listen = "127.0.0.1:9464"
# Logs to stderr where no log_file is named; text or json.
# log_format = "text"
# How often all accounts are read again: only that finds every closed account.
# reconcile_seconds = 60
# Slots that the mirror may lag before it counts as unhealthy, or its node before the next one is used.
# behind_slots = 20

# Days after which the mirror forgets; without a number never. The audit log is always kept.
[retention]
# What happened here and not on chain: reconnects, repairs.
# ops_days = 90
# Announcements that every webhook has received.
# outbox_days = 90
# Records and backups of accounts that are closed.
# closed_days = 365

# Names for addresses: programs, members. What has to be typed to confirm is the program's name.
[names]
# FAgtu5Zwcc36ufZQygkhYcE6MxUAHKvGagUmHBVRriGL = "upgrade-manager"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_texts_of_the_parser_lose_the_value() {
        for (message, right) in [
            (
                "invalid type: string \"a, expected b\", expected a boolean",
                "invalid type: string, expected a boolean",
            ),
            (
                "invalid type: integer `12345678`, expected a string",
                "invalid type: integer, expected a string",
            ),
            ("invalid value: string \"x\"", "invalid value: string, expected another"),
            (
                "unknown variant `a`b`c`, expected one of `d`, `e`",
                "unknown variant `…`, expected one of `d`, `e`",
            ),
            (
                "unknown variant `nope`, expected one of `d`, `e`",
                "unknown variant `nope`, expected one of `d`, `e`",
            ),
            (
                "unknown field `rpcurl`, expected one of `rpc_url`, `names`",
                "unknown field `rpcurl`, expected one of `rpc_url`, `names`",
            ),
            ("missing field `url`", "missing field `url`"),
            ("duplicate key `a://b:c@d`", "duplicate key `…`"),
            ("string values must be quoted", "string values must be quoted"),
        ] {
            assert_eq!(without_value(message), right);
        }
    }
}
