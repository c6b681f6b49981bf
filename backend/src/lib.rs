//! The backend service: everything between an operator's decision and the chain. It re-reads the
//! chain before it signs, shows what it will sign, and refuses when anything differs. It draws
//! nothing, keeps no mirror, and repeats no rule that `upgrade-manager` already states.
pub mod archive;
mod backend;
pub mod build;
mod code;
pub mod elf;
pub mod error;
pub mod gateway;
mod governance;
pub mod instructions;
mod intent;
mod key_file;
pub mod lookup;
mod migration;
pub mod multisig;
mod operation;
mod patience;
mod plan;
mod preflight;
mod proposals;
mod receipt;
mod rollback;
mod setup;
pub mod signer;
mod step;
pub mod timelock;
mod words;

pub use archive::{Archive, FileArchive, ManifestLeaf};
pub use backend::Backend;
pub use build::ProgramBuilder;
pub use error::{BackendError, Result};
pub use gateway::{ChainTime, Filter, Gateway, GatewayConfig, RawAccount, TxStatus};
pub use governance::MultisigChange;
pub use intent::Intent;
pub use migration::MigrationManager;
pub use multisig::MultisigCoordinator;
pub use operation::{Danger, Operation, ProposeRequest, Verb};
pub use preflight::{Check, Fact, Preflight, Simulation, Verdict};
pub use proposals::ProposalManager;
pub use receipt::{Progress, Receipt, SentTx};
pub use rollback::RollbackHandler;
pub use setup::{BufferView, Motion, SetupManager, SetupPreflight, SetupReceipt, UploadRequest};
pub use signer::{FileSigner, KeypairSigner, Signer};
pub use solana_signature::Signature;
pub use step::Step;
pub use timelock::TimelockManager;
