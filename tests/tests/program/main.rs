//! The upgrade manager's real ELF in LiteSVM: attacks and the controls that refuse them, the life
//! of a proposal, and multisigs whose voter is a Squads vault.
mod attacks;
mod controls;
mod lifecycle;
mod squads;
