//! The local chain and what only it allows: airdrops, moving the clock, setting accounts, sending
//! without a preflight. May not know the scenario that is seeded on it.
pub mod fast_upload;
pub mod local_chain;
pub mod local_rpc;
pub mod records;
pub mod send_unchecked;
pub mod snapshot;
pub mod tx_meta;
