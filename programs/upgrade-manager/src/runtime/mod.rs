//! What every instruction needs to run on chain: the macro for controls, events, the heap, batches
//! of accounts and the check for durable nonces. It knows none of the manager's accounts.
pub(crate) mod batch;
pub(crate) mod emit;
#[cfg(all(feature = "custom-heap", not(feature = "no-entrypoint"), target_os = "solana"))]
mod heap;
pub mod nonce;
pub mod require;
pub(crate) mod slice_writer;
