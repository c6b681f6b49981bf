//! Checks the mirror against itself and against the chain, and exports the audit log so that anyone can
//! check it without a store. Changes nothing.
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
