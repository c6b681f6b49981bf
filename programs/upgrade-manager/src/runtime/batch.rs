//! The remaining accounts of an instruction, read as groups. The groups come in strictly ascending
//! order of their first account, so no account can come twice. A group of an account with a backup
//! has the backup behind it.
use anchor_lang::prelude::*;

use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;

/// The groups of a batch that have not been read yet.
pub(crate) struct Batch<'a, 'info> {
    rest: &'a [AccountInfo<'info>],
    last: Option<Pubkey>,
}

impl<'a, 'info> Batch<'a, 'info> {
    /// A batch of at least one group.
    pub(crate) fn of(accounts: &'a [AccountInfo<'info>]) -> Result<Self> {
        require!(!accounts.is_empty(), ManagerError::BadBatch);
        Ok(Self { rest: accounts, last: None })
    }

    /// The next group, `None` after the last.
    pub(crate) fn next<const N: usize>(&mut self) -> Result<Option<&'a [AccountInfo<'info>; N]>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (group, rest) = self.rest.split_first_chunk().or_err(ManagerError::BadBatch)?;
        let key = group.first().map(|info| *info.key);
        require!(self.last < key, ManagerError::BadBatch);
        (self.rest, self.last) = (rest, key);
        Ok(Some(group))
    }

    /// The backup behind the group that was read last.
    pub(crate) fn backup(&mut self) -> Result<&'a AccountInfo<'info>> {
        let (backup, rest) = self.rest.split_first().or_err(ManagerError::BackupMissing)?;
        self.rest = rest;
        Ok(backup)
    }
}
