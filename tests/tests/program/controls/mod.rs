//! Controls of the program that no test in `attacks` reaches.
mod backups;
mod code;
mod execute;
mod multisig;
mod transfer;
mod wrong_accounts;
