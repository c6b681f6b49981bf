//! The way to the chain through one JSON-RPC node: reading, simulating, sending, explaining failures.
//! Requests have timeouts, and whatever the node says is checked where it can be checked.
//!
//! | module | holds |
//! |---|---|
//! | `client`, `config` | the node, its timeouts, the priority fee; repeats requests that change nothing |
//! | `read`, `answers` | accounts, complete or an error; the fields of a node's answers that are used |
//! | `simulate`, `fees` | size, compute units and simulation; base fee and priority fee |
//! | `send`, `outcome`, `expiry` | signs; broadcasts until the end is known; when a blockhash has expired |
//! | `send_batch` | many transactions at once, whose effects the caller reads back from accounts |
//! | `find` | looks up a transaction by its signature, when its outcome was not learnt while sending |
//! | `explain`, `manager_errors` | a transaction's error as a sentence; the manager's error for a code |
//! | `rpc_error` | an error of the RPC client as a sentence |
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
