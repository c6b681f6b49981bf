//! One file a verb: its arguments, its accounts with every seed, what must hold, and what it does.
pub mod closing;
pub mod execution;
pub mod migration;
pub mod multisig;
pub mod proposal;
pub mod rollback;

pub use closing::*;
pub use execution::*;
pub use migration::*;
pub use multisig::*;
pub use proposal::*;
pub use rollback::*;
