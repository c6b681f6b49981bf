//! The upgrade manager's real ELF in LiteSVM: what an attacker tries, which control refuses it, whole
//! lives of a proposal, and multisigs whose voter is a Squads vault.
mod attacks;
mod controls;
mod lifecycle;
mod squads;
