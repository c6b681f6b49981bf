//! The backend: everything between an operator's decision and the chain. [`Backend::prepare`] reads the
//! chain and shows what a verb would do; [`Backend::submit`] reads it again and signs only when nothing that
//! was shown has changed. [`SetupManager`] does the same for what comes before a proposal and after its end.
//!
//! The backend draws nothing, reads no mirror, and never imports the indexer. It repeats no rule that
//! `upgrade-manager` states: it calls the program's own functions.
//!
//! Modules, from the ground up. A module imports only from modules above it in this list:
//!
//! | module | holds |
//! |---|---|
//! | [`error`], [`failure`], [`preflight`] | values: errors, checks, facts, intents, receipts |
//! | [`archive`], [`keys`] | old bytes on disk; who signs |
//! | [`chain`] | the client of a node: reading, simulating, sending |
//! | [`accounts`], [`instructions`] | the manager's accounts, read and checked; its instructions |
//! | `census`, [`code`] | a program's accounts; ELFs, buffers, ProgramData |
//! | `pipeline` | plan, seal, submit, and what every module below shares |
//! | [`proposals`], [`multisig`], [`timelock`], [`builder`], [`migration`], [`rollback`] | the managers, which never import each other |
//! | `setup`, [`operations`] | what comes before a proposal; a verb to its module |
//!
//! What an ELF's bytes tell needs no node:
//!
//! ```
//! use backend::elf;
//!
//! // ProgramData is padded with zeros; solana-verify's hash leaves them out.
//! let (file, padded) = (b"code".as_slice(), b"code\0\0\0".as_slice());
//! assert_eq!(elf::trimmed(padded), file);
//! assert_eq!(elf::verify_hash(padded), elf::verify_hash(file));
//! ```
pub mod accounts;
pub mod archive;
pub mod builder;
mod census;
pub mod chain;
pub mod code;
pub mod error;
pub mod failure;
pub mod instructions;
pub mod keys;
pub mod migration;
pub mod multisig;
pub mod operations;
mod pipeline;
pub mod preflight;
pub mod proposals;
pub mod rollback;
mod setup;
pub mod timelock;

pub use accounts::proposal::ProposalContext;
pub use archive::{Archive, file::FileArchive};
pub use builder::{BuiltElf, ProgramBuilder, upload::Uploaded};
pub use chain::{ChainClient, ChainClientConfig, ChainTime, Filter, RawAccount, TxStatus};
pub use code::elf;
pub use error::{BackendError, Result};
pub use keys::signer::{FileSigner, KeypairSigner, Signer};
pub use migration::MigrationManager;
pub use multisig::{MultisigCoordinator, changes::MultisigChange};
pub use operations::Backend;
pub use pipeline::{context::Context, timing::Timing};
pub use preflight::{
    Preflight, Simulation,
    check::{Check, Verdict},
    fact::Fact,
    intent::Intent,
    manifest::ManifestLeaf,
    operation::{Danger, Operation, ProposeRequest, Verb},
    progress::Progress,
    receipt::{Receipt, SentTx},
    step::Step,
};
pub use proposals::ProposalManager;
pub use rollback::RollbackHandler;
pub use setup::{
    buffer::BufferView,
    governance::MultisigProposalRequest,
    manager::{SetupManager, SetupPreflight},
    upload::UploadRequest,
};
pub use solana_signature::Signature;
pub use timelock::TimelockManager;
