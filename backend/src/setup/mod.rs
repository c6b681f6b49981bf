//! Set-up around proposals: multisigs, registration, extension, buffers, closing. A module of plans and jobs, as
//! the other managers are. Nothing here votes on a proposal or executes one.
pub(crate) mod buffer;
mod chunks;
mod close;
mod close_multisig;
pub(crate) mod governance;
mod key_file_check;
pub(crate) mod manager;
mod multisig;
mod program;
mod task;
pub(crate) mod upload;
