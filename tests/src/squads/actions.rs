//! Changes that a multisig makes to itself by a config transaction. Spending limits and the rent
//! collector are left out: nothing here needs them.
use solana_pubkey::Pubkey;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigAction {
    /// Adds a member with permissions.
    AddMember(Pubkey, u8),
    /// Removes a member.
    RemoveMember(Pubkey),
    /// Changes the threshold.
    ChangeThreshold(u16),
    /// Changes the time lock, in seconds.
    SetTimeLock(u32),
}

impl ConfigAction {
    /// Borsh: a tag, then the fields.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::AddMember(key, permissions) => [&[0][..], key.as_ref(), &[*permissions]].concat(),
            Self::RemoveMember(key) => [&[1][..], key.as_ref()].concat(),
            Self::ChangeThreshold(threshold) => [&[2][..], &threshold.to_le_bytes()].concat(),
            Self::SetTimeLock(seconds) => [&[3][..], &seconds.to_le_bytes()].concat(),
        }
    }
}
