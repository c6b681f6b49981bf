//! Checks of what the mirror holds: against itself, against the chain, and as an export that anyone
//! can check without a store. Reads the store and a node; changes nothing.
mod chain;
mod check;
pub mod digest;
mod export;
pub mod line_file;
mod trouble;
pub mod verify;

pub use chain::{ChainCheck, ChainFault, check_chain};
pub use check::{StoreFault, StoreReport, check_store};
pub use export::{ExportFault, ExportFormat, ExportReport, check_export, export};
pub use trouble::{GOES_ON, STOPPED, trouble};
