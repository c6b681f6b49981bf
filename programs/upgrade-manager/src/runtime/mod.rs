//! What the program has of its own for running on chain: controls, events, heap, batches of accounts,
//! the check for durable nonces. Knows no account of the manager.
pub(crate) mod batch;
pub(crate) mod emit;
#[cfg(all(feature = "custom-heap", not(feature = "no-entrypoint"), target_os = "solana"))]
mod heap;
pub mod nonce;
pub mod require;
pub(crate) mod slice_writer;
