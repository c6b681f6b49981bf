//! One file an instruction: its arguments, its accounts, a `validate` with everything that must
//! hold, and a `handle` that does the work. The folders follow the life of a proposal.
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
