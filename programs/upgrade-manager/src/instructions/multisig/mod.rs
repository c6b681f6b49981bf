//! Creates a multisig, registers a program with it, and pauses it.
pub mod create_multisig;
pub mod pause;
pub mod register_program;
pub mod unpause;

pub use create_multisig::*;
pub use pause::*;
pub use register_program::*;
pub use unpause::*;
