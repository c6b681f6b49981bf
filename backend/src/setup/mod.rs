//! Set-up around proposals, shown before it is signed: multisigs, registration, room, buffers, closing.
//! What is signed is the very message that was shown; nothing here decides about a proposal.
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
