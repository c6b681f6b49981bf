//! A multisig whose voter is a Squads v4 vault: the vault's address, and what the Squads multisig
//! behind it must demand of its own members. Reads one account by its byte layout; links no Squads
//! code.
use anchor_lang::prelude::*;

use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;
use crate::seeds::SQUADS;
use crate::state::{MultisigConfig, SquadsVault};

/// First bytes of a Squads multisig: sha256 of `account:Multisig`, cut.
const MULTISIG: [u8; 8] = [0xe0, 0x74, 0x79, 0xba, 0x44, 0xa1, 0x4f, 0xec];
/// Where its config authority is.
const CONFIG_AUTHORITY: usize = 40;
/// Where its threshold is.
const THRESHOLD: usize = 72;
/// Where the tag of its rent collector is; the fields behind have no fixed place.
const RENT_COLLECTOR: usize = 94;
/// Bytes of one member: key and permissions.
const MEMBER: usize = 33;
/// The permission to vote.
const VOTE: u8 = 2;

/// What a Squads multisig demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A key that can change its members at once; all zero for none.
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

    /// No key stands above the members, and the members demand what `agreed` says.
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

/// The multisig's Squads multisig, if it has one, is among `accounts` and still demands enough.
pub(crate) fn require_policy(config: &MultisigConfig, accounts: &[AccountInfo]) -> Result<()> {
    config.squads.as_ref().map_or(Ok(()), |agreed| require(agreed, accounts))
}

/// The Squads multisig of `agreed` is among `accounts` and demands enough.
pub(crate) fn require(agreed: &SquadsVault, accounts: &[AccountInfo]) -> Result<()> {
    let info = accounts.iter().find(|info| *info.key == agreed.multisig);
    let info = info.or_err(ManagerError::SquadsAccount)?;
    let policy = Policy::read(info.owner, &info.try_borrow_data()?);
    policy.or_err(ManagerError::SquadsAccount)?.require(agreed)
}

#[cfg(test)]
mod tests;
