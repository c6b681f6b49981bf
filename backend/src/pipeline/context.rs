//! What every manager works with: the client of the chain, the keys, the archive. A context is a value: a
//! key that is loaded later goes into the next context and cannot reach a job that is running.
use std::sync::Arc;

use solana_pubkey::Pubkey;

use crate::{
    archive::Archive,
    chain::client::ChainClient,
    error::{BackendError, Result},
    keys::signer::Signer,
};

/// One client of the chain, one archive, and the keys that were loaded when it was made.
#[derive(Clone)]
pub struct Context {
    chain: ChainClient,
    archive: Arc<dyn Archive>,
    signer: Option<Arc<dyn Signer>>,
    cosigner: Option<Arc<dyn Signer>>,
}

impl Context {
    pub(crate) fn new(
        chain: ChainClient,
        archive: Arc<dyn Archive>,
        signer: Option<Arc<dyn Signer>>,
        cosigner: Option<Arc<dyn Signer>>,
    ) -> Self {
        Self { chain, archive, signer, cosigner }
    }

    pub(crate) fn chain(&self) -> &ChainClient {
        &self.chain
    }

    pub(crate) fn archive(&self) -> &Arc<dyn Archive> {
        &self.archive
    }

    /// Address of the key that signs and pays.
    pub(crate) fn signer(&self) -> Option<Pubkey> {
        self.signer.as_ref().map(|s| s.pubkey())
    }

    /// Address of the key that signs beside it where a second signature is needed.
    pub(crate) fn cosigner(&self) -> Option<Pubkey> {
        self.cosigner.as_ref().map(|s| s.pubkey())
    }

    pub(crate) fn cosigner_key(&self) -> Option<&Arc<dyn Signer>> {
        self.cosigner.as_ref()
    }

    pub(crate) fn require_key(&self) -> Result<Arc<dyn Signer>> {
        self.signer.clone().ok_or(BackendError::NoSigner)
    }
}
