//! Pieces that several screens draw with. They get values and an area; no widget asks the model,
//! reads a clock or does I/O.
pub mod meter;
pub mod panel;
pub mod table;
