//! Commands about webhooks. What they are told is in the configuration; how far they are, in the
//! store.
use clap::{Args, Subcommand};

use super::Output;

/// Webhooks.
#[derive(Subcommand, Debug)]
pub enum Webhooks {
    /// Print how far each webhook is, and what it would not take
    List(Output),
    /// Send again what a webhook would not take
    Retry(Retry),
    /// Send one signed test message
    Test(Test),
}

/// What is sent again.
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

/// Where the test goes.
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
