//! Settings: flags before environment before file before defaults. A key the file should not have
//! is an error that names its line; nothing is ever ignored in silence.
mod file;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use etcetera::base_strategy::{BaseStrategy, Xdg};
use solana_pubkey::Pubkey;

pub use self::file::{File, LogLevel, PRINTED};
use crate::{cli::Common, notify::Way, theme::ThemeName};

/// Folder of this program below the XDG folders.
const FOLDER: &str = "control-room";

/// Everything that was settled before the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// JSON-RPC of the node.
    pub rpc_url: String,
    /// Its websocket.
    pub ws_url: String,
    /// The key file that signs.
    pub keypair: Option<PathBuf>,
    /// Postgres instead of the file in `data_dir`.
    pub database_url: Option<String>,
    /// Mirror and archive.
    pub data_dir: PathBuf,
    /// Whether writing is switched off.
    pub read_only: bool,
    /// How notices are given.
    pub notify: Way,
    /// Colours.
    pub theme: ThemeName,
    /// Whether to stay within ASCII.
    pub ascii: bool,
    /// Whether the wheel moves the selection.
    pub mouse: bool,
    /// Where to log.
    pub log_file: Option<PathBuf>,
    /// How much.
    pub log_level: LogLevel,
    /// Names for addresses.
    pub names: BTreeMap<Pubkey, String>,
}

impl Settings {
    /// Puts the layers together.
    ///
    /// # Errors
    /// A sentence about the file, or about the folders of the system.
    pub fn load(flags: &Common) -> Result<Self> {
        let xdg = Xdg::new()
            .context("The home folder is not known: set HOME, or pass --data-dir and --config.");
        let file = match (&flags.config, &xdg) {
            (Some(path), _) => File::read(path)?,
            (None, Ok(xdg)) => {
                let path = default_file(xdg);
                if path.exists() { File::read(&path)? } else { File::default() }
            }
            (None, Err(_)) => File::default(),
        };
        let data_dir = match flags.data_dir.clone().or(file.data_dir) {
            Some(dir) => dir,
            None => xdg?.data_dir().join(FOLDER),
        };
        let rpc_url = flags
            .rpc_url
            .clone()
            .or(file.rpc_url)
            .unwrap_or_else(|| "http://127.0.0.1:8899".to_owned());
        check_scheme(&rpc_url, HTTP, RPC)?;
        let ws_url = match flags.ws_url.clone().or(file.ws_url) {
            Some(url) => url,
            None => websocket_of(&rpc_url),
        };
        check_scheme(&ws_url, WS, WEBSOCKET)?;
        Ok(Self {
            rpc_url,
            ws_url,
            keypair: flags.keypair.clone().or(file.keypair),
            database_url: flags.database_url.clone().or(file.database_url),
            data_dir,
            read_only: flags.read_only || file.read_only,
            notify: flags.notify.or(file.notify).unwrap_or_default(),
            theme: flags.theme.or(file.theme).unwrap_or_default(),
            ascii: flags.ascii || file.ascii,
            mouse: flags.mouse || file.mouse,
            log_file: flags.log_file.clone().or(file.log_file),
            log_level: flags.log_level.or(file.log_level).unwrap_or_default(),
            names: file.names,
        })
    }
}

fn default_file(xdg: &Xdg) -> PathBuf {
    xdg.config_dir().join(FOLDER).join("config.toml")
}

/// The file that would be read without `--config`.
///
/// # Errors
/// When the home folder is not known.
pub fn default_path() -> Result<PathBuf> {
    Ok(default_file(&Xdg::new().context("The home folder is not known: set HOME.")?))
}

/// Checks the file at `path`.
///
/// # Errors
/// What is wrong with it, with its line.
pub fn check(path: &Path) -> Result<()> {
    let file = File::read(path)?;
    let rpc = file.rpc_url.as_deref().map_or(Ok(()), |url| check_scheme(url, HTTP, RPC));
    let ws = file.ws_url.as_deref().map_or(Ok(()), |url| check_scheme(url, WS, WEBSOCKET));
    rpc.and(ws).with_context(|| format!("The configuration {} cannot work", path.display()))
}

/// Schemes of a node's address, and what that address is called wherever it was given.
const HTTP: &[&str] = &["http", "https"];
const RPC: &str = "the node (rpc_url, --rpc-url or CONTROL_ROOM_RPC_URL)";
/// The same for its websocket.
const WS: &[&str] = &["ws", "wss"];
const WEBSOCKET: &str = "the websocket (ws_url, --ws-url or CONTROL_ROOM_WS_URL)";

fn check_scheme(url: &str, schemes: &[&str], what: &str) -> Result<()> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    if scheme.is_some_and(|s| schemes.contains(&s)) {
        return Ok(());
    }
    let wanted = schemes.iter().map(|s| format!("{s}://")).collect::<Vec<_>>().join(" or ");
    Err(anyhow!("The address of {what} must start with {wanted}."))
}

/// The websocket that belongs to a node's RPC address: the next port where one is given, as a
/// validator has it, else the same address.
fn websocket_of(rpc: &str) -> String {
    let (scheme, rest) = rpc.split_once("://").unwrap_or(("http", rpc));
    let scheme = if scheme == "https" { "wss" } else { "ws" };
    let split = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(split);
    let authority = match authority.rsplit_once(':') {
        Some((host, port)) => match port.parse::<u16>().ok().and_then(|p| p.checked_add(1)) {
            Some(next) => format!("{host}:{next}"),
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    format!("{scheme}://{authority}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by hand, so that no variable of the environment gets in.
    fn load(flags: Common, text: &str) -> Result<Settings> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let data_dir = Some(dir.path().to_owned());
        Settings::load(&Common { config: Some(path), data_dir, ..flags })
    }

    fn rpc(url: &str) -> Common {
        Common { rpc_url: Some(url.to_owned()), ..Common::default() }
    }

    #[test]
    fn flags_come_before_the_file_and_the_file_before_the_defaults() {
        let file = "rpc_url = 'https://a.example'\nread_only = true\n";
        let s = load(Common::default(), file).unwrap();
        assert_eq!((s.rpc_url.as_str(), s.read_only), ("https://a.example", true));
        assert_eq!(s.ws_url, "wss://a.example");
        let s = load(rpc("http://b.example:9000/key"), file).unwrap();
        assert_eq!(s.rpc_url, "http://b.example:9000/key");
        assert_eq!(s.ws_url, "ws://b.example:9001/key");
        assert_eq!(load(Common::default(), "").unwrap().rpc_url, "http://127.0.0.1:8899");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let error = load(Common::default(), "read_only = true\n\nrpcurl = 'x'\n").unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("line 3") && text.contains("rpcurl"), "{text}");
    }

    #[test]
    fn an_address_that_cannot_be_right_is_refused() {
        let error = load(rpc("example.com"), "").unwrap_err();
        assert!(format!("{error:#}").contains("--rpc-url"));
        let ws = Common { ws_url: Some("http://x".to_owned()), ..Common::default() };
        assert!(load(ws, "").is_err());
    }

    #[test]
    fn a_file_that_cannot_work_is_not_called_fine() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        for (text, name) in
            [("rpc_url = 'example.com'", "rpc_url"), ("ws_url = 'http://x'", "ws_url")]
        {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", check(&path).unwrap_err());
            assert!(error.contains(name) && error.contains("config.toml"), "{error}");
        }
        std::fs::write(&path, PRINTED).unwrap();
        check(&path).unwrap();
    }

    #[test]
    fn the_printed_default_is_the_default() {
        let printed: File = toml::from_str(PRINTED).unwrap();
        assert_eq!(printed, File::default());
        let uncommented: String = PRINTED
            .lines()
            .filter_map(|l| {
                l.strip_prefix("# ")
                    .filter(|l| l.contains(" = "))
                    .or(l.starts_with('[').then_some(l))
            })
            .map(|l| format!("{l}\n"))
            .collect();
        let all: File = toml::from_str(&uncommented).unwrap();
        assert!(all.rpc_url.is_some() && all.keypair.is_some() && !all.names.is_empty());
    }
}
