//! The backend against a node that does what a script says: faults that no real node shows on
//! demand, and a chain that changes between the look and the signature.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of a test fail the test, as its own lines do"
)]
mod fake_chain;
mod fake_node;
mod governance;
mod intent;
mod node_faults;
mod sending;
mod unrestorable_accounts;
mod upload;
