//! What leaves the process for those who watch it: health, metrics, the HTTP probe, and text and
//! addresses without their secrets. Measures nothing and reads no chain.
pub mod health;
pub mod http;
pub mod metrics;
pub mod redact;
