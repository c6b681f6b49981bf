//! The way to the chain through one JSON-RPC node: reading, simulating, sending, explaining failures.
//! Requests have timeouts, and whatever the node says is checked where it can be checked.
mod answers;
pub(crate) mod client;
pub(crate) mod config;
mod expiry;
pub(crate) mod explain;
pub(crate) mod fees;
pub(crate) mod find;
pub(crate) mod manager_errors;
mod outcome;
pub(crate) mod read;
mod rpc_error;
pub(crate) mod send;
pub(crate) mod send_batch;
pub(crate) mod simulate;

pub use client::ChainClient;
pub use config::ChainClientConfig;
pub use explain::explain;
pub use fees::{MAX_UNIT_PRICE, check_unit_price, parse_unit_price};
pub use find::TxStatus;
pub use manager_errors::manager_error;
pub use read::{ChainTime, Filter, RawAccount};
pub use simulate::{MAX_TRANSACTION_LEN, MAX_UNITS, Simulated, transaction_size, with_budget};
