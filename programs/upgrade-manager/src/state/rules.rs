//! The rules of a multisig: the argument of `create_multisig`. A config change replaces all of
//! them.
use anchor_lang::prelude::*;

use crate::seeds;

/// Most members of one multisig.
pub const MAX_MEMBERS: usize = 16;

/// One member, as rules name it.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberArgs {
    /// The key that signs.
    pub key: Pubkey,
    /// Bits of [`super::role`].
    pub roles: u8,
}

/// A Squads v4 vault that votes for a multisig, and what its multisig must at least demand.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SquadsVault {
    /// The Squads multisig.
    pub multisig: Pubkey,
    /// Which of its vaults.
    pub vault_index: u8,
    /// Lowest threshold of the Squads multisig that is still accepted.
    pub min_threshold: u16,
    /// Fewest members with the right to vote there that are still accepted.
    pub min_voters: u16,
}

impl SquadsVault {
    /// The address of the vault: the key that votes.
    #[must_use]
    pub fn vault(&self) -> Pubkey {
        seeds::squads_vault(&self.multisig, self.vault_index)
    }
}

/// All rules of a multisig.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq)]
pub struct MultisigRules {
    /// Approvals that start a proposal's timelock.
    pub threshold: u8,
    /// Proposals one member may have open at once.
    pub open_cap: u8,
    /// Whether votes in durable-nonce transactions count.
    pub allow_durable_nonce: bool,
    /// Seconds below which the timelock can never be set; a change may raise it only.
    pub timelock_floor: u32,
    /// Seconds between the deciding approval and the earliest execution.
    pub timelock: u32,
    /// Seconds after that in which a proposal can be executed.
    pub execution_window: u32,
    /// Seconds after execution in which members can vote for rollback.
    pub rollback_window: u32,
    /// The only account that an upgrade's surplus lamports go to.
    pub treasury: Pubkey,
    /// The guardian: may veto, pause and roll back, and nothing else.
    pub guardian: Option<Pubkey>,
    /// The Squads vault that is the multisig's only voter.
    pub squads: Option<SquadsVault>,
    /// Members, sorted by key.
    #[max_len(MAX_MEMBERS)]
    pub members: Vec<MemberArgs>,
}
