//! The layout number that every account of the manager carries.

/// Layout number of the accounts in this folder; it changes when a field does.
pub const LAYOUT: u8 = 1;
