//! Which accounts of a program exist, and in which version. Every question reads the chain again; nothing
//! is cached.
pub(crate) mod finality;
pub(crate) mod scan;
