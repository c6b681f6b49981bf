//! One file an instruction: its accounts, then its handler.
#![allow(
    ambiguous_glob_reexports,
    reason = "every instruction has a `handle`; the program calls it by its module"
)]
pub mod close;
pub mod deposit;
pub mod open;
pub mod set_limit;
pub mod withdraw;

pub use close::*;
pub use deposit::*;
pub use open::*;
pub use set_limit::*;
pub use withdraw::*;
