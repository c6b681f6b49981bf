//! One file an account, each with the pure rules that its fields obey. Chain, backend, indexer and
//! screens call these same functions.
mod account_version;
mod attestation;
mod backup;
mod closing;
mod course;
mod governance;
mod lifecycle;
pub mod manifest;
mod multisig;
mod program;
mod proposal;
mod rules;
mod terms;
mod type_rule;
mod votes;

pub use account_version::*;
pub use attestation::*;
pub use backup::*;
pub use course::*;
pub use governance::*;
pub use multisig::*;
pub use program::*;
pub use proposal::*;
pub use rules::*;
pub use terms::*;
pub use type_rule::*;
pub use votes::*;

/// Layout number of the accounts in this folder; it changes when a field does.
pub const LAYOUT: u8 = 1;
