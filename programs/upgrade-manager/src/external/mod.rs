//! Other programs that the manager calls or whose accounts it reads: the upgradeable loader, the
//! system program, Squads and the target of a migration. This module is not called `cpi`, because
//! Anchor generates a module of that name at the crate's root.
pub(crate) mod install;
pub mod loader;
pub mod squads;
pub(crate) mod system;
pub(crate) mod target;
