//! The accounts behind an instruction's own: groups in strictly ascending order of their first
//! account, so that none can come twice. Whether a group has one more follows from its account.
use anchor_lang::prelude::*;

use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;

/// The part of a batch that has not been taken.
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

    /// The next group, `None` behind the last.
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

    /// The backup behind the group that was taken last.
    pub(crate) fn backup(&mut self) -> Result<&'a AccountInfo<'info>> {
        let (backup, rest) = self.rest.split_first().or_err(ManagerError::BackupMissing)?;
        self.rest = rest;
        Ok(backup)
    }
}
