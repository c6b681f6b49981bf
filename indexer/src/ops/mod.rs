//! What operators see of the mirror: health, metrics, the HTTP probe, and redaction of secrets. Reads
//! no chain.
pub mod health;
pub mod http;
pub mod metrics;
pub mod redact;
