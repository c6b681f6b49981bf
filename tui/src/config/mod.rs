//! The settings. A flag overrides its environment variable, which overrides the file, which overrides the default. An
//! unknown key in the file is an error that names its line; nothing is ignored silently.
mod address;
mod check;
mod file;
mod flags;
pub mod home;
mod key_file;
mod nodes;
pub mod priority_fee;
mod webhooks;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use etcetera::base_strategy::{BaseStrategy, Xdg};
use indexer::Retention;
use solana_pubkey::Pubkey;

pub use self::file::{DEFAULT_FILE, File, LogFormat, LogLevel, RetentionKeys};
pub use self::{
    address::Address,
    check::check_file,
    flags::Flags,
    key_file::{KeyFile, looks_like_a_key},
    webhooks::Webhook,
};
use crate::{notify::NotifyMethod, theme::ThemeName};

/// Name of this program's folders in the XDG folders.
const APP_FOLDER: &str = "control-room";

/// One node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub rpc_url: Address,
    pub ws_url: Address,
}

/// Settings of `index`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexSettings {
    /// Address of /healthz, /readyz and /metrics; [`None`] serves nothing.
    pub listen: Option<SocketAddr>,
    /// [`None`] if neither flag nor file names a format; then nothing is logged to stderr.
    pub log_format: Option<LogFormat>,
    /// How often all accounts are read again; [`None`] is the indexer's default.
    pub reconcile: Option<Duration>,
    /// Slots that the mirror or its node may lag; [`None`] is the indexer's default.
    pub behind: Option<u64>,
}

/// The settings after flags, environment, file and defaults were merged.
#[derive(Clone, Debug)]
pub struct Settings {
    /// JSON-RPC of the preferred node.
    pub rpc_url: Address,
    pub ws_url: Address,
    /// Further nodes, in the order of failover.
    pub others: Vec<Node>,
    pub keypair: Option<KeyFile>,
    /// Micro-lamports per compute unit that every transaction pays on top of the base fee.
    pub priority_fee: u64,
    /// How long to wait for a transaction's outcome; [`None`] is the backend's default.
    pub outcome_timeout: Option<Duration>,
    /// Postgres instead of the SQLite file in `data_dir`. Checked only when it is opened, so that a command that needs no
    /// database works with a wrong URL.
    pub database_url: Option<Address>,
    /// Folder of the mirror and of the archive.
    pub data_dir: PathBuf,
    /// Whether signing is switched off.
    pub read_only: bool,
    pub notify: NotifyMethod,
    pub theme: ThemeName,
    /// Whether to draw with ASCII characters only.
    pub ascii: bool,
    /// Whether the mouse wheel moves the selection.
    pub mouse: bool,
    pub log_file: Option<PathBuf>,
    pub log_level: LogLevel,
    pub index: IndexSettings,
    pub retention: Retention,
    pub webhooks: Vec<Webhook>,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
    /// Whether the log goes to stderr; set once the log is started.
    pub log_to_stderr: bool,
    /// Names for addresses, for screens and messages.
    pub names: BTreeMap<Pubkey, String>,
}

impl Settings {
    /// The mirror's SQLite file, used if `database_url` is [`None`].
    pub fn sqlite(&self) -> PathBuf {
        self.data_dir.join("mirror.sqlite")
    }

    /// Every URL that may contain a key or a password.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let others = self.others.iter().flat_map(|n| [&n.rpc_url, &n.ws_url]);
        let mine = [&self.rpc_url, &self.ws_url].into_iter().chain(&self.database_url);
        let webhooks = self.webhooks.iter().map(Webhook::address);
        mine.chain(others).map(Address::as_str).chain(webhooks)
    }

    /// Merges `flags`, which include the environment, with the file and the defaults.
    ///
    /// # Errors
    /// What is wrong with the file, or that the home folder is not known.
    pub fn load(flags: &Flags) -> Result<Self> {
        let xdg = Xdg::new()
            .context("The home folder is not known: set HOME, or pass --data-dir and --config.");
        let path = match (&flags.config, &xdg) {
            (Some(path), _) => Some(path.clone()),
            (None, Ok(xdg)) => Some(default_file(xdg)).filter(|path| path.exists()),
            (None, Err(_)) => None,
        };
        let file = path.as_deref().map_or_else(|| Ok(File::default()), File::read)?;
        let data_dir = match flags.data_dir.clone().or(expanded("data_dir", file.data_dir)?) {
            Some(dir) => dir,
            None => xdg?.data_dir().join(APP_FOLDER),
        };
        let (Node { rpc_url, ws_url }, others) =
            nodes::nodes(flags, file.rpc_url, file.ws_url, file.endpoints)?;
        Ok(Self {
            rpc_url,
            ws_url,
            others,
            keypair: flags.keypair.clone().or(file.keypair),
            priority_fee: flags.priority_fee.or(file.priority_fee).unwrap_or_default(),
            outcome_timeout: file.outcome_timeout_seconds.map(|s| Duration::from_secs(s.get())),
            database_url: flags.database_url.clone().or(file.database_url),
            data_dir,
            read_only: flags.read_only || file.read_only,
            notify: flags.notify.or(file.notify).unwrap_or_default(),
            theme: flags.theme.or(file.theme).unwrap_or_default(),
            ascii: flags.ascii.unwrap_or(file.ascii),
            mouse: flags.mouse.unwrap_or(file.mouse),
            log_file: flags.log_file.clone().or(expanded("log_file", file.log_file)?),
            log_level: flags.log_level.or(file.log_level).unwrap_or_default(),
            index: IndexSettings {
                listen: file.index.listen,
                log_format: file.index.log_format,
                reconcile: file.index.reconcile_seconds.map(|s| Duration::from_secs(s.get())),
                behind: file.index.behind_slots.map(NonZeroU64::get),
            },
            retention: days(file.retention),
            webhooks: webhooks::validated(file.webhooks)?,
            log_to_stderr: false,
            file: path,
            names: file.names,
        })
    }
}

fn days(keys: RetentionKeys) -> Retention {
    let days = |days: Option<NonZeroU32>| days.map(NonZeroU32::get);
    Retention {
        ops_days: days(keys.ops_days),
        outbox_days: days(keys.outbox_days),
        closed_days: days(keys.closed_days),
    }
}

fn default_file(xdg: &Xdg) -> PathBuf {
    xdg.config_dir().join(APP_FOLDER).join("config.toml")
}

/// The configuration file that is read without `--config`.
///
/// # Errors
/// When the home folder is not known.
pub fn default_path() -> Result<PathBuf> {
    Ok(default_file(&Xdg::new().context("The home folder is not known: set HOME.")?))
}

/// The path under `key` in the file, with `~` replaced by the home folder.
fn expanded(key: &str, path: Option<PathBuf>) -> Result<Option<PathBuf>> {
    let expanded = path.as_deref().map(home::expand).transpose();
    expanded.map_err(|why| anyhow!("The path under {key} cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads without clap, so that no environment variable has an effect.
    fn load(flags: Flags, text: &str) -> Result<Settings> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let data_dir = Some(dir.path().to_owned());
        Settings::load(&Flags { config: Some(path), data_dir, ..flags })
    }

    fn rpc(url: &str) -> Flags {
        Flags { rpc_url: Some(url.into()), ..Flags::default() }
    }

    #[test]
    fn flags_come_before_the_file_and_the_file_before_the_defaults() {
        let file = "rpc_url = 'https://a.example'\nread_only = true\n";
        let s = load(Flags::default(), file).unwrap();
        assert_eq!((s.rpc_url.as_str(), s.read_only), ("https://a.example", true));
        assert_eq!(s.ws_url.as_str(), "wss://a.example");
        let s = load(rpc("http://b.example:9000/key"), file).unwrap();
        assert_eq!(s.rpc_url.as_str(), "http://b.example:9000/key");
        assert_eq!(s.ws_url.as_str(), "ws://b.example:9001/key");
        assert_eq!(load(Flags::default(), "").unwrap().rpc_url.as_str(), "http://127.0.0.1:8899");
    }

    #[test]
    fn further_nodes_follow_the_first_unless_a_flag_names_one() {
        let file = "rpc_url = 'https://a.example'\n\
                    endpoints = [{ rpc_url = 'https://b.example', ws_url = 'wss://w.example' }]\n";
        let s = load(Flags::default(), file).unwrap();
        let urls = |s: &Settings| {
            s.others.iter().map(|n| n.ws_url.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            (s.rpc_url.as_str(), urls(&s)),
            ("https://a.example", vec!["wss://w.example".into()])
        );
        assert!(load(rpc("http://c.example"), file).unwrap().others.is_empty(), "another cluster?");
        let only = load(Flags::default(), "endpoints = [{ rpc_url = 'http://d.example:80' }]\n");
        let only = only.unwrap();
        assert_eq!((only.ws_url.as_str(), only.others.len()), ("ws://d.example:81", 0));
    }

    #[test]
    fn a_priority_fee_is_none_unless_the_file_or_a_flag_sets_one() {
        assert_eq!(load(Flags::default(), "").unwrap().priority_fee, 0);
        let file = "priority_fee = 1000\n";
        assert_eq!(load(Flags::default(), file).unwrap().priority_fee, 1_000);
        let flags = Flags { priority_fee: Some(0), ..Flags::default() };
        assert_eq!(load(flags, file).unwrap().priority_fee, 0, "a flag can take it back");
        let error = load(Flags::default(), "priority_fee = 9000000000\n").unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("line 1") && text.contains("at most 50000000"), "{text}");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let error = load(Flags::default(), "read_only = true\n\nrpcurl = 'x'\n").unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("line 3") && text.contains("rpcurl"), "{text}");
    }

    #[test]
    fn a_wrong_node_url_is_refused_and_names_the_flag() {
        let error = load(rpc("example.com"), "").unwrap_err();
        assert!(format!("{error:#}").contains("--rpc-url"));
        let ws = Flags { ws_url: Some("http://x".into()), ..Flags::default() };
        assert!(load(ws, "").is_err());
    }

    #[test]
    fn a_wrong_database_url_is_no_error_before_it_is_opened() {
        let flags = Flags { database_url: Some("nonsense".into()), ..Flags::default() };
        assert_eq!(load(flags, "").unwrap().database_url.unwrap().as_str(), "nonsense");
        assert!(load(Flags::default(), "database_url = 'mysql://h/d'\n").is_ok());
    }

    #[test]
    fn the_printed_file_sets_the_defaults_and_names_every_key() {
        let printed: File = toml::from_str(DEFAULT_FILE).unwrap();
        assert_eq!(printed, File::default());
        let uncommented: String = DEFAULT_FILE
            .lines()
            .filter_map(|l| {
                l.strip_prefix("# ")
                    .filter(|l| l.contains(" = "))
                    .or(l.starts_with('[').then_some(l))
            })
            .map(|l| format!("{l}\n"))
            .collect();
        let all: File = toml::from_str(&uncommented).unwrap();
        assert!(all.endpoints.len() == 1 && all.index.listen.is_some());
        assert!(all.index.behind_slots.is_some() && all.retention.closed_days.is_some());
        assert!(all.rpc_url.is_some() && all.keypair.is_some() && !all.names.is_empty());
        assert!(all.priority_fee.is_some() && all.outcome_timeout_seconds.is_some());
    }
}
