//! Which accounts of the target may be migrated, and what they must look like before and after.
use anchor_lang::prelude::*;

use crate::error::ManagerError;

/// Most type rules of one proposal.
pub const MAX_TYPE_RULES: usize = 16;
/// Most bytes one account may grow by: the runtime's limit for one instruction.
pub const MAX_GROWTH: u32 = 10_240;

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
    /// Zero; room for flags.
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
            .ok_or(ManagerError::Overflow)?;
        let sound = self.discriminator != [0; 8]
            && matches!(self.version_width, 1 | 2)
            && self.version_offset >= 8
            && self.flags == 0
            && self.old_len.min <= self.old_len.max
            && self.new_len.min <= self.new_len.max
            && self.old_len.min >= end
            && self.new_len.min >= end
            && self.new_len.max.saturating_sub(self.old_len.min) <= MAX_GROWTH
            && self.old_len.max.saturating_sub(self.new_len.min) <= MAX_GROWTH;
        control!(sound, ManagerError::TypeRule);
        Ok(())
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

    /// Whether `data` is an account of this type, at version `from`, of an allowed old length.
    #[must_use]
    pub fn eligible(&self, data: &[u8], from: u16) -> bool {
        self.version(data) == Some(from) && self.old_len.holds(data.len())
    }

    /// Whether `data` is an account of this type, at version `to`, of an allowed new length.
    #[must_use]
    pub fn arrived(&self, data: &[u8], to: u16) -> bool {
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
            TypeRule { flags: 1, ..rule() },
            TypeRule { new_len: LenRange { min: 40, max: 30 }, ..rule() },
            TypeRule { new_len: LenRange { min: 30, max: 20 + MAX_GROWTH + 1 }, ..rule() },
        ] {
            assert!(bad.invariant().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn eligibility_needs_type_version_and_length() {
        let mut data = vec![1; 20];
        data[8..10].copy_from_slice(&1u16.to_le_bytes());
        assert!(rule().eligible(&data, 1));
        assert!(!rule().eligible(&data, 2));
        assert!(!rule().eligible(&data[..19], 1));
        data[0] = 9;
        assert!(!rule().eligible(&data, 1));
        assert!(!rule().eligible(&[], 1));
    }
}
