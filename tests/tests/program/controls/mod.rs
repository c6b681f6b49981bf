//! Controls of the program that no attack in `attacks` asks for.
mod backups;
mod code;
mod execute;
mod multisig;
mod transfer;
mod wrong_accounts;
