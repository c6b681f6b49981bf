//! The backend against a scripted node: faults that a real node does not show on demand, and accounts that
//! change between preflight and signature.
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
mod refusals;
mod sending;
mod set_up;
mod unrestorable_accounts;
mod upload;
