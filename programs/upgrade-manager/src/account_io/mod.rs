//! Reads and writes the manager's accounts and checks which belong together. Rules about contents
//! are in `state`. This module is not called `accounts`, because Anchor generates a module of that
//! name at the crate's root.
pub(crate) mod backup;
pub(crate) mod io;
pub(crate) mod multisig;
pub(crate) mod program;
pub(crate) mod version;
