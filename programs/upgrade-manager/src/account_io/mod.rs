//! Accounts of the manager, read, tied to each other and written. The rules about what is in them
//! are in `state`. Not called `accounts`: Anchor generates a module of that name at the crate's
//! root.
pub(crate) mod backup;
pub(crate) mod io;
pub(crate) mod multisig;
pub(crate) mod program;
pub(crate) mod version;
