//! Figures, and the bounds that they must keep. One module for everything of a kind: what is measured
//! is in it, how figures are printed and judged in [`table`] and [`bound`].
pub mod bound;
pub mod program;
pub mod table;
