//! The commands of the `control-room` binary on a live local chain: whole upgrades, wrong input,
//! faulty nodes, and a process that is killed half way.
mod bad_input;
mod doctor;
mod foreign_lamports;
mod from_scratch;
mod hard_rollback;
mod multisig_commands;
mod not_recorded;
mod priority_fee;
mod resume;
mod scenarios;
mod secrets;
