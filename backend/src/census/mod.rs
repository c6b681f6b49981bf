//! Which accounts of a program exist, and in which version. Reads the chain each time; the answer is
//! never kept.
pub(crate) mod finality;
pub(crate) mod scan;
