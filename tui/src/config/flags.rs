//! The flags that every command takes. They are part of the command line and the first source of
//! [`Settings`](super::Settings).
use std::path::PathBuf;

use clap::Args;

use super::{Address, KeyFile, LogLevel, home::parser as path, priority_fee};
use crate::{notify::NotifyMethod, theme::ThemeName};

/// Settings given on the command line or in the environment.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// JSON-RPC of the node
    #[arg(
        long,
        global = true,
        env = "CONTROL_ROOM_RPC_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub rpc_url: Option<Address>,
    /// Websocket of the node [default: the RPC's host, next port]
    #[arg(
        long,
        global = true,
        env = "CONTROL_ROOM_WS_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub ws_url: Option<Address>,
    /// Key file that signs, as the Solana command line writes it
    #[arg(long, global = true, env = "CONTROL_ROOM_KEYPAIR", value_name = "FILE")]
    pub keypair: Option<KeyFile>,
    /// Micro-lamports per compute unit to pay on top of the base fee, with every transaction
    ///
    /// A transaction pays for its limit of compute units, which is shown before signing. 0, the
    /// default, pays the base fee alone.
    #[arg(
        long,
        global = true,
        env = "CONTROL_ROOM_PRIORITY_FEE",
        value_name = "MICROLAMPORTS",
        value_parser = priority_fee::parse,
        allow_negative_numbers = true
    )]
    pub priority_fee: Option<u64>,
    /// Postgres for the mirror [default: a file in the data folder]
    #[arg(
        long,
        global = true,
        env = "CONTROL_ROOM_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database_url: Option<Address>,
    /// Folder of mirror and archive [default: control-room in the XDG data folder]
    #[arg(long, global = true, env = "CONTROL_ROOM_DATA_DIR", value_name = "DIR", value_parser = path())]
    pub data_dir: Option<PathBuf>,
    /// Configuration file [default: control-room/config.toml in the XDG configuration folder]
    #[arg(long, global = true, env = "CONTROL_ROOM_CONFIG", value_name = "FILE", value_parser = path())]
    pub config: Option<PathBuf>,
    /// Sign nothing, whatever else is set
    #[arg(long, global = true, env = "CONTROL_ROOM_READ_ONLY")]
    pub read_only: bool,
    /// Log to this file; nothing is logged to the terminal
    #[arg(long, global = true, env = "CONTROL_ROOM_LOG_FILE", value_name = "FILE", value_parser = path())]
    pub log_file: Option<PathBuf>,
    /// How much to log
    #[arg(long, global = true, env = "CONTROL_ROOM_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
    /// How notices are delivered
    #[arg(long, global = true, env = "CONTROL_ROOM_NOTIFY", value_name = "WAY")]
    pub notify: Option<NotifyMethod>,
    /// Colours; NO_COLOR means mono
    #[arg(long, global = true, env = "CONTROL_ROOM_THEME", value_name = "THEME")]
    pub theme: Option<ThemeName>,
    /// Draw with ASCII characters only
    #[arg(
        long,
        global = true,
        env = "CONTROL_ROOM_ASCII",
        num_args = 0,
        default_missing_value = "true"
    )]
    pub ascii: Option<bool>,
    /// Let the wheel move the selection
    #[arg(
        long,
        global = true,
        env = "CONTROL_ROOM_MOUSE",
        num_args = 0,
        default_missing_value = "true"
    )]
    pub mouse: Option<bool>,
}
