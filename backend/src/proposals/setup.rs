//! Set-up that is sent at once, without a preflight, for scripts and scenarios: the multisig, the program,
//! the frozen buffers.
use solana_pubkey::Pubkey;
use upgrade_manager::{
    external::loader::{self, BUFFER_HEADER},
    seeds,
    state::{BufferRole, MultisigRules},
};

use crate::{
    accounts,
    code::{self, elf},
    error::{BackendError, Result},
    instructions,
    keys::signer::Signer,
    preflight::receipt::SentTx,
    proposals::ProposalManager,
};

impl ProposalManager {
    /// Makes a multisig; the loaded key pays. Members are sorted here. Returns its address.
    ///
    /// # Errors
    /// The network's, or which rule the arguments break.
    pub async fn create_multisig(
        &self,
        create_key: &dyn Signer,
        mut args: MultisigRules,
    ) -> Result<(Pubkey, SentTx)> {
        let key = self.context.require_key()?;
        args.members.sort_by_key(|m| m.key);
        let create = create_key.pubkey();
        let ix = instructions::create_multisig(&create, &key.pubkey(), args);
        let chain = self.context.chain();
        let sent = chain.send_and_confirm("create multisig", &[ix], &[&*key, create_key]).await?;
        Ok((seeds::multisig(&create).0, sent))
    }

    /// Hands the upgrade authority of `program`, which `current` holds, to the manager. The loaded
    /// key pays.
    ///
    /// # Errors
    /// The network's, or why the chain refuses.
    pub async fn register_program(
        &self,
        current: &dyn Signer,
        multisig: &Pubkey,
        program: &Pubkey,
        version: u16,
    ) -> Result<SentTx> {
        let key = self.context.require_key()?;
        let chain = self.context.chain();
        let address = instructions::program_data_address(program);
        let live = code::live_elf(chain, &address).await?;
        let ix = instructions::register_program(
            &current.pubkey(),
            &key.pubkey(),
            multisig,
            program,
            version,
            trimmed_len(&live)?,
        );
        chain.send_and_confirm("register program", &[ix], &[&*key, current]).await
    }

    /// Fixes the bytes of `buffer`, which `current` holds, for `program`. The loaded key pays.
    ///
    /// # Errors
    /// The network's, or why the chain refuses.
    pub async fn freeze(
        &self,
        current: &dyn Signer,
        program: &Pubkey,
        buffer: &Pubkey,
        role: BufferRole,
    ) -> Result<SentTx> {
        let key = self.context.require_key()?;
        let ix =
            instructions::freeze_buffer(&current.pubkey(), &key.pubkey(), program, buffer, role);
        let chain = self.context.chain();
        chain.send_and_confirm("freeze buffer", &[ix], &[&*key, current]).await
    }

    /// Attests a frozen buffer: hashes an upgrade buffer, or compares a rollback buffer with the code that
    /// runs. The loaded key pays.
    ///
    /// # Errors
    /// The network's, or why the chain refuses.
    pub async fn attest(&self, buffer: &Pubkey) -> Result<SentTx> {
        let key = self.context.require_key()?;
        let chain = self.context.chain();
        let known = accounts::attestation(chain, buffer).await?;
        let (what, address) = ("buffer", *buffer);
        let raw = chain.account(buffer).await?.ok_or(BackendError::NoAccount { what, address })?;
        if raw.owner != loader::ID {
            let (found, expected) = (raw.owner, loader::ID);
            return Err(BackendError::ForeignOwner { what, address, found, expected });
        }
        let len = trimmed_len(raw.data.get(BUFFER_HEADER..).unwrap_or_default())?;
        let ix = match known.role {
            BufferRole::Upgrade => instructions::attest_buffer(&known.program, buffer, len),
            BufferRole::Rollback => instructions::attest_rollback(&known.program, buffer, len),
        };
        chain.send_and_confirm("attest buffer", &[ix], &[&*key]).await
    }
}

fn trimmed_len(bytes: &[u8]) -> Result<u32> {
    u32::try_from(elf::trimmed(bytes).len()).map_err(|_| BackendError::Range("trimming an ELF"))
}
