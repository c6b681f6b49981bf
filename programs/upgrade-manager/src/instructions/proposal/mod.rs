//! From buffer to vote: buffers frozen and attested, proposals made, voted on, cancelled or
//! expired.
pub mod attest_buffer;
pub mod attest_chunk;
pub mod attest_rollback;
pub mod cancel;
pub mod cast_vote;
pub mod expire;
pub mod freeze_buffer;
pub mod propose_governance;
pub mod propose_upgrade;

pub use attest_buffer::*;
pub use attest_chunk::*;
pub use attest_rollback::*;
pub use cancel::*;
pub use cast_vote::*;
pub use expire::*;
pub use freeze_buffer::*;
pub use propose_governance::*;
pub use propose_upgrade::*;
