//! One test per row of the checklist of mirror hazards, on both stores. The number in a name is the
//! row's.
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
