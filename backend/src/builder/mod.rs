//! From an ELF file to code on the chain: checks the file, uploads it into a buffer (an interrupted upload
//! goes on where it stopped), deploys a new program. It never upgrades one: only proposals do.
mod deploy;
pub(crate) mod fill;
pub mod upload;

use std::path::Path;

use solana_pubkey::Pubkey;

use crate::{
    code::{
        self,
        elf::{self, ElfInfo},
    },
    error::{BackendError, Result},
    instructions::program_data_address,
    pipeline::context::Context,
};

/// An ELF that can be deployed, as far as its header tells.
#[derive(Clone, PartialEq, Eq)]
pub struct BuiltElf {
    /// The bytes to upload.
    pub bytes: Vec<u8>,
    /// What the header and the bytes tell.
    pub info: ElfInfo,
}

impl std::fmt::Debug for BuiltElf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuiltElf").field("info", &self.info).finish_non_exhaustive()
    }
}

/// Checks, uploads and deploys ELFs.
#[derive(Clone)]
pub struct ProgramBuilder {
    context: Context,
}

impl ProgramBuilder {
    /// Over the chain and the keys of `context`.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self { context: context.clone() }
    }

    /// Reads and checks an ELF file.
    ///
    /// # Errors
    /// [`BackendError::Elf`] with what is wrong.
    pub fn check_file(&self, path: &Path) -> Result<BuiltElf> {
        let bad = |reason: String| BackendError::Elf { path: path.to_owned(), reason };
        let bytes = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
        let info = elf::inspect(&bytes).map_err(|problem| bad(problem.to_string()))?;
        Ok(BuiltElf { bytes, info })
    }

    /// The ELF that `program` runs now, as a rollback buffer must hold it: without the padding of
    /// ProgramData, but with the zeros that belong to the file.
    ///
    /// # Errors
    /// The network's, or [`BackendError::BadAccount`].
    pub async fn live_elf(&self, program: &Pubkey) -> Result<BuiltElf> {
        let address = program_data_address(program);
        let mut bytes = code::live_elf(self.context.chain(), &address).await?;
        bytes.truncate(elf::file_len(&bytes));
        let info = elf::inspect(&bytes).map_err(|problem| BackendError::BadAccount {
            what: "ProgramData account",
            address,
            reason: problem.to_string(),
        })?;
        Ok(BuiltElf { bytes, info })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_does_not_print_the_code() {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18] = 247;
        let info = elf::inspect(&bytes).unwrap();
        let shown = format!("{:?}", BuiltElf { bytes, info });
        assert!(shown.contains("sbpf_version") && !shown.contains("127, 69, 76, 70"), "{shown}");
    }
}
