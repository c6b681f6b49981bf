//! A multisig whose voter is a Squads v4 vault: the vault's address, and what the Squads multisig
//! behind it must demand of its own members. Reads one account by its byte layout; links no Squads
//! code.
use anchor_lang::prelude::*;

use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;
use crate::seeds::SQUADS;
use crate::state::{MultisigConfig, SquadsVault};

/// Discriminator of a Squads multisig: the first bytes of sha256 of `account:Multisig`.
const MULTISIG: [u8; 8] = [0xe0, 0x74, 0x79, 0xba, 0x44, 0xa1, 0x4f, 0xec];
/// Offset of the config authority.
const CONFIG_AUTHORITY: usize = 40;
/// Offset of the threshold.
const THRESHOLD: usize = 72;
/// Offset of the rent collector's option tag; the offsets behind it depend on the tag.
const RENT_COLLECTOR: usize = 94;
/// Bytes of one member: key and permissions.
const MEMBER: usize = 33;
/// The bit of the permission to vote.
const VOTE: u8 = 2;

/// How a Squads multisig is governed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A key that can change the members without their votes; all zero for none.
    pub config_authority: Pubkey,
    /// Approvals it takes.
    pub threshold: u16,
    /// Members that may vote.
    pub voters: usize,
}

impl Policy {
    /// The policy in `data` of an account that `owner` owns; `None` for any other account.
    #[must_use]
    pub fn read(owner: &Pubkey, data: &[u8]) -> Option<Self> {
        if *owner != SQUADS || !data.starts_with(&MULTISIG) {
            return None;
        }
        let config_authority = data.get(CONFIG_AUTHORITY..)?.first_chunk::<32>()?;
        let threshold = data.get(THRESHOLD..)?.first_chunk::<2>()?;
        let (tag, rest) = data.get(RENT_COLLECTOR..)?.split_first()?;
        let rest = match tag {
            0 => rest,
            1 => rest.get(32..)?,
            _ => return None,
        };
        let (_bump, rest) = rest.split_first()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(MEMBER)?;
        let members = rest.get(..len)?.chunks_exact(MEMBER);
        Some(Self {
            config_authority: Pubkey::new_from_array(*config_authority),
            threshold: u16::from_le_bytes(*threshold),
            voters: members.filter(|m| m.last().is_some_and(|mask| mask & VOTE != 0)).count(),
        })
    }

    /// The Squads multisig has no config authority, and at least the threshold and voters of
    /// `agreed`.
    ///
    /// # Errors
    /// [`ManagerError::SquadsControlled`] or [`ManagerError::SquadsPolicy`].
    pub fn require(&self, agreed: &SquadsVault) -> Result<()> {
        require!(self.config_authority == Pubkey::default(), ManagerError::SquadsControlled);
        require!(self.threshold >= agreed.min_threshold, ManagerError::SquadsPolicy);
        require!(self.voters >= usize::from(agreed.min_voters), ManagerError::SquadsPolicy);
        Ok(())
    }
}

/// The Squads multisig of `config`, if it has one, is among `accounts` and still meets the policy.
pub(crate) fn require_policy(config: &MultisigConfig, accounts: &[AccountInfo]) -> Result<()> {
    config.squads.as_ref().map_or(Ok(()), |agreed| require(agreed, accounts))
}

/// The Squads multisig of `agreed` is among `accounts` and meets the policy.
pub(crate) fn require(agreed: &SquadsVault, accounts: &[AccountInfo]) -> Result<()> {
    let info = accounts.iter().find(|info| *info.key == agreed.multisig);
    let info = info.or_err(ManagerError::SquadsAccount)?;
    let policy = Policy::read(info.owner, &info.try_borrow_data()?);
    policy.or_err(ManagerError::SquadsAccount)?.require(agreed)
}

#[cfg(test)]
mod tests;
