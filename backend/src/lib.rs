//! The backend service: everything between an operator's decision and the chain. It re-reads the
//! chain before it signs, shows what it will sign, and refuses when anything differs. It draws
//! nothing, keeps no mirror, and repeats no rule that `upgrade-manager` already states.
pub mod archive;
pub mod elf;
pub mod error;
pub mod gateway;
pub mod instructions;
mod intent;
mod operation;
mod preflight;
mod receipt;
pub mod signer;

pub use archive::{Archive, FileArchive, ManifestLeaf};
pub use error::{BackendError, Result};
pub use gateway::{ChainTime, Filter, Gateway, GatewayConfig, RawAccount};
pub use intent::Intent;
pub use operation::{Danger, Operation, ProposeRequest, Verb};
pub use preflight::{Check, Fact, Preflight, Simulation, Verdict};
pub use receipt::{Progress, Receipt, SentTx};
pub use signer::{FileSigner, KeypairSigner, Signer};
