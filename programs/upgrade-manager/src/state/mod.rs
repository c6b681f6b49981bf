//! One file an account or argument type, each with the pure rules that its fields obey: keys and
//! clock come in as values. Program, backend, indexer and screens call these same functions.
mod account_version;
mod attestation;
mod backup;
mod closing;
pub mod elf;
mod governance;
mod layout;
mod lifecycle;
pub mod manifest;
mod multisig;
mod program;
mod proposal;
mod rules;
mod terms;
mod type_rule;
mod votes;
mod voting;

pub use account_version::*;
pub use attestation::*;
pub use backup::*;
pub use governance::*;
pub use layout::*;
pub use multisig::*;
pub use program::*;
pub use proposal::*;
pub use rules::*;
pub use terms::*;
pub use type_rule::*;
pub use votes::*;
pub use voting::*;
