//! What is on the seeded chain, and how it gets there. [`world`] starts a chain and lets [`seed`] fill
//! it with what the other modules plan or hold.
pub mod elf_paths;
pub mod fill_vaults;
pub mod keys;
pub mod ready;
pub mod seed;
pub mod setup;
pub mod step;
pub mod vaults;
pub mod world;
