//! The accounts behind an instruction's own: groups in strictly ascending order of their first
//! account, so that none can come twice. Whether a group has one more follows from its account.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::system_program;

use crate::error::{ManagerError, OrRefuse as _};
use crate::state::{Terms, rule_for};

/// The part of a batch that has not been taken.
pub(crate) struct Batch<'a, 'info> {
    rest: &'a [AccountInfo<'info>],
    last: Option<Pubkey>,
}

impl<'a, 'info> Batch<'a, 'info> {
    /// A batch of at least one group.
    pub(crate) fn of(accounts: &'a [AccountInfo<'info>]) -> Result<Self> {
        control!(!accounts.is_empty(), ManagerError::BadBatch);
        Ok(Self { rest: accounts, last: None })
    }

    /// The next group, `None` behind the last.
    pub(crate) fn next<const N: usize>(&mut self) -> Result<Option<&'a [AccountInfo<'info>; N]>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (group, rest) = self.rest.split_first_chunk().or_refuse(ManagerError::BadBatch)?;
        let key = group.first().map(|info| *info.key);
        control!(self.last < key, ManagerError::BadBatch);
        (self.rest, self.last) = (rest, key);
        Ok(Some(group))
    }

    /// The backup behind the group that was taken last.
    pub(crate) fn backup(&mut self) -> Result<&'a AccountInfo<'info>> {
        let (backup, rest) = self.rest.split_first().or_refuse(ManagerError::BackupMissing)?;
        self.rest = rest;
        Ok(backup)
    }
}

/// The version of `account` when it is of a pinned type and `terms` migrate from that version.
pub(crate) fn old_version(account: &AccountInfo, terms: &Terms) -> Result<Option<u16>> {
    if *account.owner != terms.program {
        return Ok(None);
    }
    let data = account.try_borrow_data()?;
    let version = rule_for(&terms.type_rules, &data).and_then(|rule| rule.version(&data));
    Ok(version.filter(|version| terms.migrates_from().contains(version)))
}

/// Whether an account has ceased to exist.
pub(crate) fn is_gone(account: &AccountInfo) -> bool {
    *account.owner == system_program::ID && account.data_is_empty()
}
