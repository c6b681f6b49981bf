//! Which accounts of the target may be migrated, and which version and length they must have before
//! and after.
use std::ops::RangeInclusive;

use anchor_lang::prelude::*;

use super::backup::MAX_BACKUP_LEN;
use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;

/// Most type rules of one proposal.
pub const MAX_TYPE_RULES: usize = 16;
/// Most bytes one account may grow by: the runtime's limit for one instruction.
pub const MAX_GROWTH: u32 = 10_240;
/// Bit of [`TypeRule::flags`]: the old bytes of these accounts are kept on chain.
pub const CRITICAL: u8 = 1;

/// One account type of the target program.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeRule {
    /// First eight bytes of the account.
    pub discriminator: [u8; 8],
    /// Where the version is stored, bytes from the start.
    pub version_offset: u16,
    /// Bytes of the version: 1 or 2, little-endian.
    pub version_width: u8,
    /// Least and most bytes before migration.
    pub old_len: LenRange,
    /// Least and most bytes after migration.
    pub new_len: LenRange,
    /// [`CRITICAL`] or zero; room for more flags.
    pub flags: u8,
}

/// Least and most bytes, both allowed.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct LenRange {
    /// Least bytes.
    pub min: u32,
    /// Most bytes.
    pub max: u32,
}

impl LenRange {
    /// Whether a length of `len` bytes is in the range.
    #[must_use]
    pub fn holds(&self, len: usize) -> bool {
        u32::try_from(len).is_ok_and(|len| (self.min..=self.max).contains(&len))
    }
}

impl TypeRule {
    /// What must hold for the rule itself.
    ///
    /// # Errors
    /// [`ManagerError::TypeRule`].
    pub fn invariant(&self) -> Result<()> {
        let end = u32::from(self.version_offset)
            .checked_add(u32::from(self.version_width))
            .or_err(ManagerError::Overflow)?;
        let sound = self.discriminator != [0; 8]
            && matches!(self.version_width, 1 | 2)
            && self.version_offset >= 8
            && self.flags & !CRITICAL == 0
            && (!self.is_critical() || self.old_len.max <= MAX_BACKUP_LEN)
            && self.old_len.min <= self.old_len.max
            && self.new_len.min <= self.new_len.max
            && self.old_len.min >= end
            && self.new_len.min >= end
            && self.new_len.max.saturating_sub(self.old_len.min) <= MAX_GROWTH
            && self.old_len.max.saturating_sub(self.new_len.min) <= MAX_GROWTH;
        require!(sound, ManagerError::TypeRule);
        Ok(())
    }

    /// Whether an account of this type gets an on-chain backup when it migrates.
    #[must_use]
    pub fn is_critical(&self) -> bool {
        self.flags & CRITICAL != 0
    }

    /// The version that `data` stores, `None` when `data` is not of this type or too short.
    #[must_use]
    pub fn version(&self, data: &[u8]) -> Option<u16> {
        if data.first_chunk::<8>()? != &self.discriminator {
            return None;
        }
        let at = usize::from(self.version_offset);
        match self.version_width {
            1 => data.get(at).copied().map(u16::from),
            2 => data.get(at..)?.first_chunk::<2>().copied().map(u16::from_le_bytes),
            _ => None,
        }
    }

    /// The version of `data` when it is an account of this type, at one of the versions in `from`,
    /// of an allowed old length.
    #[must_use]
    pub fn eligible(&self, data: &[u8], from: &RangeInclusive<u16>) -> Option<u16> {
        let held = self.version(data).filter(|held| from.contains(held));
        held.filter(|_| self.old_len.holds(data.len()))
    }

    /// Whether `data` is an account of this type, at version `to`, of an allowed new length.
    #[must_use]
    pub fn is_migrated(&self, data: &[u8], to: u16) -> bool {
        self.version(data) == Some(to) && self.new_len.holds(data.len())
    }
}

/// The rule whose discriminator `data` starts with.
#[must_use]
pub fn rule_for<'a>(rules: &'a [TypeRule], data: &[u8]) -> Option<&'a TypeRule> {
    let disc = data.first_chunk::<8>()?;
    rules.iter().find(|r| &r.discriminator == disc)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> TypeRule {
        TypeRule {
            discriminator: [1; 8],
            version_offset: 8,
            version_width: 2,
            old_len: LenRange { min: 20, max: 20 },
            new_len: LenRange { min: 30, max: 40 },
            flags: 0,
        }
    }

    #[test]
    fn a_rule_that_cannot_hold_its_version_is_refused() {
        assert!(rule().invariant().is_ok());
        for bad in [
            TypeRule { version_width: 3, ..rule() },
            TypeRule { version_offset: 7, ..rule() },
            TypeRule { version_offset: 19, ..rule() },
            TypeRule { discriminator: [0; 8], ..rule() },
            TypeRule { flags: 2, ..rule() },
            TypeRule { new_len: LenRange { min: 40, max: 30 }, ..rule() },
            TypeRule { new_len: LenRange { min: 30, max: 20 + MAX_GROWTH + 1 }, ..rule() },
        ] {
            assert!(bad.invariant().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_critical_account_must_fit_into_its_backup() {
        let len = |max| LenRange { min: 20, max };
        let rule =
            |max| TypeRule { flags: CRITICAL, old_len: len(max), new_len: len(max), ..rule() };
        assert!(rule(MAX_BACKUP_LEN).is_critical());
        assert!(rule(MAX_BACKUP_LEN).invariant().is_ok());
        assert!(rule(MAX_BACKUP_LEN + 1).invariant().is_err());
        assert!(TypeRule { flags: 0, ..rule(MAX_BACKUP_LEN + 1) }.invariant().is_ok());
    }

    #[test]
    fn eligibility_needs_type_version_and_length() {
        let mut data = vec![1; 20];
        data[8..10].copy_from_slice(&3u16.to_le_bytes());
        for (from, held) in [(3..=3, true), (1..=3, true), (3..=4, true), (1..=2, false)] {
            assert_eq!(rule().eligible(&data, &from), held.then_some(3), "{from:?}");
        }
        assert_eq!(rule().eligible(&data, &(4..=5)), None);
        assert_eq!(rule().eligible(&data[..19], &(3..=3)), None);
        data[0] = 9;
        assert_eq!(rule().eligible(&data, &(3..=3)), None);
        assert_eq!(rule().eligible(&[], &(0..=u16::MAX)), None);
    }
}
