//! Deploys a new program through the loader.
use solana_loader_v3_interface::instruction as loader_instruction;
use solana_pubkey::Pubkey;

use crate::{
    builder::ProgramBuilder,
    error::{BackendError, Result},
    keys::signer::Signer,
    preflight::receipt::SentTx,
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
        let key = self.context.require_key()?;
        let chain = self.context.chain();
        let payer = key.pubkey();
        let make = loader_instruction::deploy_with_max_program_len(
            &payer,
            &program.pubkey(),
            buffer,
            &payer,
            chain.rent(PROGRAM_LEN).await?,
            max_len,
        )
        .map_err(|_| BackendError::Range("deploying a program"))?;
        chain.send_and_confirm("deploy program", &make, &[&*key, program]).await
    }
}
