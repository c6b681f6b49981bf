//! Closes accounts that nothing needs any more and returns their rent to whoever paid it.
pub mod close_account_version;
pub mod close_backup;
pub mod close_buffer;
pub mod close_governance;
pub mod close_multisig;
pub mod close_program_state;
pub mod close_proposal;
pub mod reclaim_buffer;

pub use close_account_version::*;
pub use close_backup::*;
pub use close_buffer::*;
pub use close_governance::*;
pub use close_multisig::*;
pub use close_program_state::*;
pub use close_proposal::*;
pub use reclaim_buffer::*;
