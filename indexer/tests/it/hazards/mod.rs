//! One test for each row of the checklist of what goes wrong between a chain and its mirror, on both
//! stores. The number in a name is the row's.
mod history;
mod ordering;
