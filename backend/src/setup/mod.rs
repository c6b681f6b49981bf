//! Set-up around proposals, shown before it is signed: multisigs, registration, extension, buffers, closing.
//! The very message that was shown is signed. Nothing here votes on a proposal or executes one.
pub(crate) mod buffer;
mod chunks;
mod close;
mod close_multisig;
pub(crate) mod governance;
mod key_file_check;
pub(crate) mod manager;
mod multisig;
mod program;
pub(crate) mod upload;
