//! Multisigs and the programs they govern, and the guardian's pause.
pub mod create_multisig;
pub mod pause;
pub mod register_program;
pub mod unpause;

pub use create_multisig::*;
pub use pause::*;
pub use register_program::*;
pub use unpause::*;
