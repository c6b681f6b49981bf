//! The command line of `control-room-sandbox`.
use std::path::PathBuf;

use clap::Parser;

use crate::chain::records::MAX_RECORDS;

/// Milliseconds of a slot in an interactive run.
pub const DEFAULT_SLOT_MS: u64 = 400;
/// Milliseconds of a slot in a headless run.
pub const HEADLESS_SLOT_MS: u64 = 50;
/// The shortest slot, milliseconds: a blockhash lives for 150 of them, and a transaction of a busy
/// machine may need those seconds.
const MIN_SLOT_MS: u64 = 50;
/// The longest slot, milliseconds: the manager's timelock also lasts as many slots as if each took 800,
/// and moving the clock by the timelock adds fewer where they are longer. A little less, for rounding.
const MAX_SLOT_MS: u64 = 750;
/// With more, a migration and a rollback would take longer than minutes.
const MAX_VAULTS: i64 = 10_000;

/// A local Solana chain with a program upgrade that waits for votes.
///
/// Starts a chain on loopback ports, deploys the upgrade manager and a demo vault, creates five
/// members, a 3-of-5 multisig with a 48 h timelock and vaults with balances, and proposes an upgrade
/// with one approval. Then it prints one line of JSON that says where everything is – the JSON-RPC under
/// `http`, the websocket under `ws` – and lives until its stdin is closed or it gets SIGTERM or SIGINT.
#[derive(Parser, Clone, Debug)]
#[command(name = "control-room-sandbox", version, about, long_about)]
pub struct Args {
    /// Folder of the three ELFs [env: CONTROL_ROOM_ELF_DIR] [default: what `cargo xtask build-sbf`
    /// fills]
    #[arg(long, value_name = "DIR")]
    pub elf_dir: Option<PathBuf>,

    /// Folder for key files and the archive [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Vault accounts to create, 1 to 10000
    #[arg(long, default_value_t = 200, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=MAX_VAULTS))]
    pub vaults: u32,

    /// Version records to put on the chain beside what it is seeded with, up to 1000000: for a mirror
    /// under load
    #[arg(long, default_value_t = 0, value_name = "N",
          value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_RECORDS)))]
    pub records: u32,

    /// Milliseconds of a slot once the chain is seeded, 50 to 750 [default: 400, with --headless 50]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(MIN_SLOT_MS..=MAX_SLOT_MS))]
    pub slot_ms: Option<u64>,

    /// Micro-lamports per compute unit that seed and flow pay on top of the base fee
    #[arg(long, default_value_t = 0, value_name = "MICROLAMPORTS",
          value_parser = backend::chain::parse_unit_price, allow_negative_numbers = true)]
    pub priority_fee: u64,

    /// Only deploy the two programs, fund the keys and fill the vaults: no multisig, no proposal. The
    /// deployer holds the demo vault's upgrade authority, and ProgramData has no room to spare
    #[arg(long, conflicts_with = "headless")]
    pub bare: bool,

    /// Port of the JSON-RPC on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub http_port: u16,

    /// Port of the websocket on 127.0.0.1; 0 takes a free one. Unless it is the port after --http-port,
    /// the control room needs --ws-url
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub ws_port: u16,

    /// Run the whole flow – votes, timelock, upgrade, migration, rollback – print every transaction,
    /// and exit: 0 when everything came out as it must, 1 with a sentence when not
    #[arg(long)]
    pub headless: bool,

    /// With --headless: afterwards print the line of JSON and keep the chain until stdin is closed
    #[arg(long, requires = "headless")]
    pub hold: bool,

    /// Print the line of JSON and exit at once: to measure the start
    #[arg(long, conflicts_with = "headless")]
    pub until_ready: bool,
}

impl Args {
    /// Folder of the ELFs: the flag's, or the variable's, which is unset when it is empty.
    #[must_use]
    pub fn elf_dir(&self) -> Option<PathBuf> {
        let variable = || std::env::var("CONTROL_ROOM_ELF_DIR").ok();
        let named = variable().map(|dir| PathBuf::from(dir.trim()));
        self.elf_dir.clone().or(named).filter(|dir| !dir.as_os_str().is_empty())
    }

    /// Milliseconds of a slot once the chain is seeded.
    #[must_use]
    pub fn slot_ms(&self) -> u64 {
        self.slot_ms.unwrap_or(if self.headless { HEADLESS_SLOT_MS } else { DEFAULT_SLOT_MS })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_explains_itself() {
        Args::command().debug_assert();
        let help = Args::command().render_long_help().to_string();
        for flag in [
            "elf-dir",
            "data-dir",
            "vaults",
            "records",
            "slot-ms",
            "priority-fee",
            "bare",
            "headless",
            "hold",
            "until-ready",
        ] {
            assert!(help.contains(&format!("--{flag}")), "{flag}");
        }
        assert!(help.contains("`http`") && help.contains("`ws`"), "{help}");
    }

    #[test]
    fn interactive_runs_get_slow_slots_and_headless_runs_fast_ones() {
        let args = |line: &str| Args::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(args("sandbox").slot_ms(), DEFAULT_SLOT_MS);
        assert_eq!(args("sandbox --headless").slot_ms(), HEADLESS_SLOT_MS);
        assert_eq!(args("sandbox --headless --slot-ms 400").slot_ms(), 400);
        assert!(Args::try_parse_from(["sandbox", "--hold"]).is_err());
        let error = Args::try_parse_from(["sandbox", "--priority-fee", "-1"]).unwrap_err();
        assert!(error.to_string().contains("micro-lamports per compute unit"), "{error}");
        assert!(Args::try_parse_from(["sandbox", "--bare", "--headless"]).is_err());
        for (flag, bad) in [
            ("--vaults", ["0", "10001"]),
            ("--slot-ms", ["49", "751"]),
            ("--records", ["-1", "1000001"]),
            ("--priority-fee", ["-1", "50000001"]),
        ] {
            for value in bad {
                let line = ["sandbox", &format!("{flag}={value}")];
                let error = Args::try_parse_from(line).unwrap_err().to_string();
                assert!(error.contains(flag) && error.contains(value), "{error}");
            }
        }
    }
}
