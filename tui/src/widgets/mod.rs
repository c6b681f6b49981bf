//! Parts that several screens draw with. A widget gets values and an area; it reads no model and no clock and does no
//! I/O.
pub mod meter;
pub mod panel;
pub mod table;
