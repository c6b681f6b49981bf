//! What the tests on a bank share: the bank with a clock that the test moves, a multisig of five with a
//! program to upgrade, and the manager's instructions. Nothing here asserts a rule.
pub mod bank;
#[path = "../../src/elf.rs"]
pub mod elf;
pub mod features;
#[path = "../../src/keys.rs"]
pub mod keys;
pub mod verbs;
pub mod world;
