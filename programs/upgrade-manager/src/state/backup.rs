//! The exact bytes that a critical account held before its last migration. They are kept on chain,
//! so that a rollback needs no archive.
use anchor_lang::prelude::*;

use super::layout::LAYOUT;
use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;

/// Most bytes of a critical account before its migration. A CPI creates the backup and can give an
/// account at most 10,240 bytes; a CPI restores it, and its data has the same limit.
pub const MAX_BACKUP_LEN: u32 = 10_000;

/// The old bytes of one account of a target program.
#[account]
#[derive(Debug, PartialEq, Eq)]
pub struct AccountBackup {
    /// [`super::LAYOUT`] at creation.
    pub layout: u8,
    /// Bump of this address.
    pub bump: u8,
    /// The target program.
    pub program: Pubkey,
    /// The account.
    pub account: Pubkey,
    /// The proposal that migrated it.
    pub proposal: Pubkey,
    /// Who paid for this backup.
    pub payer: Pubkey,
    /// sha256 of `bytes`.
    pub sha256: [u8; 32],
    /// The account's whole content before the migration.
    pub bytes: Vec<u8>,
}

impl AccountBackup {
    /// Bytes in front of the old ones.
    pub const HEADER: usize = 8 + 1 + 1 + 4 * 32 + 32 + 4;

    /// A backup of `account` of `program`, without its bytes: [`Self::fill`] adds them.
    #[must_use]
    pub fn new(
        (program, account, proposal): (Pubkey, Pubkey, Pubkey),
        sha256: [u8; 32],
        payer: Pubkey,
        bump: u8,
    ) -> Self {
        let (layout, bytes) = (LAYOUT, Vec::new());
        Self { layout, bump, program, account, proposal, payer, sha256, bytes }
    }

    /// Writes `bytes` behind the header in `data`, where [`Self::new`] was written. They are copied
    /// straight from account to account, because a batch of them would not fit into the heap.
    ///
    /// # Errors
    /// [`ManagerError::Overflow`] unless they fill `data` exactly.
    pub fn fill(data: &mut [u8], bytes: &[u8]) -> Result<()> {
        let (head, body) =
            data.split_at_mut_checked(Self::HEADER).or_err(ManagerError::Overflow)?;
        let len = u32::try_from(bytes.len()).or_err(ManagerError::Overflow)?;
        require!(body.len() == bytes.len(), ManagerError::Overflow);
        let count = head.last_chunk_mut::<4>().or_err(ManagerError::Overflow)?;
        *count = len.to_le_bytes();
        body.copy_from_slice(bytes);
        Ok(())
    }

    /// The backup in `data` without its bytes, and a reference to the bytes.
    ///
    /// # Errors
    /// [`ManagerError::WrongAccount`] when `data` is no backup, or is cut short.
    pub fn borrow(data: &[u8]) -> Result<(Self, &[u8])> {
        let rest = data.strip_prefix(Self::DISCRIMINATOR);
        let mut rest = rest.or_err(ManagerError::WrongAccount)?;
        let [layout, bump] = <[u8; 2]>::deserialize(&mut rest)?;
        let [program, account, proposal, payer] = <[Pubkey; 4]>::deserialize(&mut rest)?;
        let sha256 = <[u8; 32]>::deserialize(&mut rest)?;
        let len = u32::deserialize(&mut rest)?;
        let bytes = usize::try_from(len).ok().and_then(|len| rest.get(..len));
        let bytes = bytes.or_err(ManagerError::WrongAccount)?;
        let none = Vec::new();
        Ok((Self { layout, bump, program, account, proposal, payer, sha256, bytes: none }, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(i: u8) -> Pubkey {
        Pubkey::new_from_array([i; 32])
    }

    fn written(bytes: &[u8]) -> Vec<u8> {
        let new = AccountBackup::new((key(1), key(2), key(3)), [5; 32], key(4), 250);
        let mut data = Vec::new();
        new.try_serialize(&mut data).unwrap();
        data.resize(AccountBackup::HEADER + bytes.len(), 0);
        AccountBackup::fill(&mut data, bytes).unwrap();
        data
    }

    #[test]
    fn a_backup_written_in_two_parts_reads_as_one_account() {
        for bytes in [&b""[..], b"old", &[7; MAX_BACKUP_LEN as usize]] {
            let data = written(bytes);
            let whole = AccountBackup::try_deserialize(&mut &data[..]).unwrap();
            assert_eq!(whole.bytes, bytes);
            let (head, borrowed) = AccountBackup::borrow(&data).unwrap();
            assert_eq!(borrowed, bytes);
            assert_eq!(head, AccountBackup { bytes: vec![], ..whole });
            assert_eq!((head.program, head.account, head.proposal), (key(1), key(2), key(3)));
            assert_eq!((head.payer, head.sha256, head.bump), (key(4), [5; 32], 250));
        }
    }

    #[test]
    fn the_largest_backup_grows_by_less_than_the_runtime_allows() {
        assert!(AccountBackup::HEADER + MAX_BACKUP_LEN as usize <= 10_240);
        assert!(migration_interface::HEADER_LEN + MAX_BACKUP_LEN as usize <= 10_240);
    }

    #[test]
    fn bytes_of_another_length_and_accounts_that_are_no_backup_are_refused() {
        let mut data = written(b"old");
        assert!(AccountBackup::fill(&mut data, b"olds").is_err());
        assert!(AccountBackup::fill(&mut data, b"ol").is_err());
        for len in 0..data.len() {
            assert!(AccountBackup::borrow(&data[..len]).is_err(), "{len}");
        }
        data[0] ^= 1;
        assert!(AccountBackup::borrow(&data).is_err(), "another kind");
    }
}
