//! Arguments of `webhooks`. The configuration says what each webhook receives; the store, what it has received.
use clap::{Args, Subcommand};

use super::Output;

/// Webhooks.
#[derive(Subcommand, Debug)]
pub enum Webhooks {
    /// Print which messages each webhook has received, and which it refused
    List(Output),
    /// Send refused messages again
    Retry(Retry),
    /// Send one signed test message
    Test(Test),
}

/// Arguments of `webhooks retry`.
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["id", "all"])))]
pub struct Retry {
    /// The webhook's name
    #[arg(long, value_name = "NAME")]
    pub hook: String,
    /// Only this one, by the number that `webhooks list` prints
    #[arg(long, value_name = "N")]
    pub id: Option<u64>,
    /// All of them, oldest first, until one fails
    #[arg(long)]
    pub all: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `webhooks test`.
#[derive(Args, Debug)]
pub struct Test {
    /// The webhook's name
    #[arg(long, value_name = "NAME")]
    pub hook: String,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

impl Webhooks {
    /// How to print.
    #[must_use]
    pub fn output(&self) -> Output {
        match self {
            Self::List(output) => *output,
            Self::Retry(retry) => retry.output,
            Self::Test(test) => test.output,
        }
    }
}
