//! Announcements to the world outside: finalised facts, told to webhooks in order and at least once.
//! Nothing here reads the chain, and nothing it waits for holds the mirror up.
mod event;
mod kind;
mod sign;
pub mod template;

pub use event::{Detail, derived, of};
pub use kind::Kind;
pub use sign::Secret;
