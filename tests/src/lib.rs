//! What the end-to-end tests share: a chain in this process, real ELFs, a multisig with a program to
//! upgrade, and a robot at a terminal. Tests live in `../tests`; nothing here asserts a rule.
pub mod attack;
pub mod chain;
pub mod database;
pub mod desktop;
pub mod elf;
pub mod fault_proxy;
pub mod keys;
pub mod live;
pub mod loader;
pub mod model;
pub mod multisig;
pub mod relay;
pub mod robot;
pub mod scenario;
pub mod squads;
pub mod verbs;
pub mod world;
