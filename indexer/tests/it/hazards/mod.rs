//! One test for each row of the checklist of what goes wrong between a chain and its mirror, on
//! both stores. The number in a name is the row's.
mod closing;
mod database;
mod decoding;
mod history;
mod liveness;
mod nodes;
mod ordering;
mod reorgs;
mod requests;
mod size;
