//! Arguments of the commands about the mirror: `index`, `audit`, `replay`, `migrate-db`.
use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::Output;
use crate::config::{LogFormat, Settings, home::parser as path};

/// Arguments of `index`.
#[derive(Args, Debug)]
pub struct Index {
    /// Read accounts and history once, compare every field with the chain, print the digest, and stop
    #[arg(long)]
    pub once: bool,
    /// The same, and print the fields that differ
    #[arg(long)]
    pub verify: bool,
    /// Most differences to print
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// Serve /healthz, /readyz and /metrics [without ADDR: 127.0.0.1:9464]
    #[arg(
        long,
        value_name = "ADDR",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:9464",
        conflicts_with_all = ["once", "verify"],
    )]
    pub listen: Option<SocketAddr>,
    /// Record in this new file what reaches the mirror, for `replay`; compressed when its name ends
    /// in .zst
    #[arg(long, value_name = "FILE", value_parser = path(), conflicts_with_all = ["once", "verify"])]
    pub record: Option<PathBuf>,
    /// Log in this form, to stderr unless --log-file names a file
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

impl Index {
    /// Overrides the settings of the file with the flags.
    pub fn override_settings(&self, settings: &mut Settings) {
        settings.index.listen = self.listen.or(settings.index.listen);
        settings.index.log_format = self.log_format.or(settings.index.log_format);
    }
}

/// Arguments of `audit`. Without a subcommand it means `audit list`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Audit {
    /// What to do with it.
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// How to print it.
    #[command(flatten)]
    pub list: AuditList,
}

/// What to do with the audit log. All but `list` read the mirror as it is and need no node.
#[derive(Subcommand, Debug)]
pub enum AuditCommand {
    /// Bring the mirror up to date and print the log
    List(AuditList),
    /// Compute the chain of hashes again and check the mirror against itself. Exit code 0: it holds; 1:
    /// something was changed; 2: it could not be read
    Verify(AuditVerify),
    /// Write every row with every column
    Export(AuditExport),
    /// Print number and hash of the newest row: the same for everyone who mirrors the same chain
    Head(Output),
}

/// Arguments of `audit list`.
#[derive(Args, Debug)]
pub struct AuditList {
    /// Rows after this one, oldest first [default: the newest rows]
    #[arg(long, value_name = "NO")]
    pub after: Option<u64>,
    /// Most rows
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub limit: u32,
    /// Also recompute the chain of hashes over the whole log
    #[arg(long)]
    pub check: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `audit verify`.
#[derive(Args, Debug)]
pub struct AuditVerify {
    /// Check this export instead of the mirror
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub file: Option<PathBuf>,
    /// Most faults to print
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `audit export`.
#[derive(Args, Debug)]
pub struct AuditExport {
    /// jsonl or csv [default: by the file's name, else jsonl]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<ExportFormat>,
    /// File to write [default: stdout]
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub output: Option<PathBuf>,
    /// Print what was written as one JSON value; needs --output
    #[arg(long, requires = "output")]
    pub json: bool,
}

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values
    Csv,
}

/// Arguments of `replay`.
#[derive(Args, Debug)]
pub struct Replay {
    /// Recording that `index --record` made
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub from: PathBuf,
    /// Keep the mirror that comes out in this new file [default: only its digest is printed]
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub into: Option<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `migrate-db`.
#[derive(Args, Debug)]
pub struct MigrateDb {
    /// Role that may read the mirror and nothing else, for --database-url of control rooms; made
    /// where it is missing
    #[arg(long, value_name = "NAME")]
    pub read_only_role: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}
