//! Programs outside of the manager, whose accounts it reads and which it calls. Not called `cpi`:
//! Anchor generates a module of that name at the crate's root, with the feature `cpi`.
pub(crate) mod install;
pub mod loader;
pub mod squads;
pub(crate) mod system;
pub(crate) mod target;
