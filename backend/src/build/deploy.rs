//! The loader's own deployment of a new program.
use solana_loader_v3_interface::instruction as loader_instruction;
use solana_pubkey::Pubkey;

use super::ProgramBuilder;
use crate::{
    error::{BackendError, Result},
    receipt::SentTx,
    signer::Signer,
};

/// Bytes of a program account: tag and address.
const PROGRAM_LEN: usize = 36;

impl ProgramBuilder {
    /// Deploys the code in `buffer` as a new program with room for `max_len` bytes. The loaded key
    /// pays, must hold the buffer, and becomes the upgrade authority.
    ///
    /// # Errors
    /// The network's, or why the loader refuses.
    pub async fn deploy(
        &self,
        program: &dyn Signer,
        buffer: &Pubkey,
        max_len: usize,
    ) -> Result<SentTx> {
        let key = self.backend.require_key()?;
        let gateway = self.backend.gateway();
        let payer = key.pubkey();
        let make = loader_instruction::deploy_with_max_program_len(
            &payer,
            &program.pubkey(),
            buffer,
            &payer,
            gateway.rent(PROGRAM_LEN).await?,
            max_len,
        )
        .map_err(|_| BackendError::Range("deploying a program"))?;
        gateway.send_and_confirm("deploy program", &make, &[&*key, program]).await
    }
}
