//! The local chain and what only it allows: an airdrop, a moved clock, accounts that are put in place,
//! transactions that are sent unchecked. Knows nothing of the scenario that is seeded on it.
pub mod fast_upload;
pub mod local_chain;
pub mod local_rpc;
pub mod records;
pub mod send_unchecked;
pub mod snapshot;
pub mod tx_meta;
