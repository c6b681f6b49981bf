//! The members, the threshold and the times that a team agreed on. Holds every rule about them;
//! reads no clock and no other account.
use anchor_lang::prelude::*;

use crate::error::ManagerError;

/// Most members of one multisig.
pub const MAX_MEMBERS: usize = 16;
/// Longest timelock in seconds: 90 days, Squads v4's `MAX_TIME_LOCK`. A longer one can brick.
pub const MAX_TIMELOCK: u32 = 90 * 24 * 3600;
/// Shortest execution and rollback window in seconds.
pub const MIN_WINDOW: u32 = 3600;
/// Longest execution and rollback window in seconds.
pub const MAX_WINDOW: u32 = 90 * 24 * 3600;
/// Most proposals one member may have open at once.
pub const MAX_OPEN_CAP: u8 = 16;

/// What a member may do, as bits.
pub mod role {
    /// May propose.
    pub const PROPOSE: u8 = 1;
    /// May approve, reject, revoke and cancel.
    pub const VOTE: u8 = 2;
    /// May execute, quarantine, complete, restore and roll back.
    pub const EXECUTE: u8 = 4;
    /// Every role.
    pub const ALL: u8 = PROPOSE | VOTE | EXECUTE;
}

/// One member of a multisig.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The key that signs.
    pub key: Pubkey,
    /// Bits of [`role`].
    pub roles: u8,
    /// Proposals of this member that have not ended.
    pub open: u8,
}

impl Member {
    /// Whether the member has every bit of `role`.
    #[must_use]
    pub fn may(&self, role: u8) -> bool {
        self.roles & role == role
    }
}

/// A team: who votes, how many votes it takes, how long everybody waits.
#[account]
#[derive(InitSpace, Debug, PartialEq, Eq)]
pub struct MultisigConfig {
    /// [`super::LAYOUT`] at creation.
    pub layout: u8,
    /// Bump of this address.
    pub bump: u8,
    /// The key that signed the creation and seeds the address.
    pub create_key: Pubkey,
    /// Counts the changes of this account; proposals of an older epoch are stale.
    pub config_epoch: u64,
    /// Approvals that lock a proposal.
    pub threshold: u8,
    /// Proposals one member may have open at once.
    pub open_cap: u8,
    /// Whether votes in durable-nonce transactions count.
    pub allow_durable_nonce: bool,
    /// Seconds below which the timelock can never be set.
    pub timelock_floor: u32,
    /// Seconds between the deciding approval and the earliest execution.
    pub timelock: u32,
    /// Seconds after `eta` in which a proposal can be executed.
    pub execution_window: u32,
    /// Seconds after execution in which members can vote for rollback.
    pub rollback_window: u32,
    /// The only account that an upgrade's surplus lamports go to.
    pub treasury: Pubkey,
    /// Id of the next proposal.
    pub next_proposal: u64,
    /// Members, sorted by key, unique.
    #[max_len(MAX_MEMBERS)]
    pub members: Vec<Member>,
    /// Zero; room for a Squads vault, a guardian and a pause.
    pub reserved: [u8; 128],
}

impl MultisigConfig {
    /// Every rule that must hold after any change.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn invariant(&self) -> Result<()> {
        let n = self.members.len();
        control!((1..=MAX_MEMBERS).contains(&n), ManagerError::MemberCount);
        let sorted = self.members.windows(2).all(|w| matches!(w, [a, b] if a.key < b.key));
        control!(sorted, ManagerError::MembersNotSortedUnique);
        for member in &self.members {
            control!(member.key != Pubkey::default(), ManagerError::MemberIsZero);
            control!(
                member.roles != 0 && member.roles & !role::ALL == 0,
                ManagerError::MemberRoles
            );
        }
        let voters = self.voters();
        control!(
            usize::from(self.threshold) > voters / 2 && usize::from(self.threshold) <= voters,
            ManagerError::Threshold
        );
        control!(self.with_role(role::PROPOSE) > 0, ManagerError::NobodyProposes);
        control!(self.with_role(role::EXECUTE) > 0, ManagerError::NobodyExecutes);
        control!(
            self.timelock_floor > 0
                && self.timelock >= self.timelock_floor
                && self.timelock <= MAX_TIMELOCK,
            ManagerError::Timelock
        );
        for window in [self.execution_window, self.rollback_window] {
            control!((MIN_WINDOW..=MAX_WINDOW).contains(&window), ManagerError::Window);
        }
        control!((1..=MAX_OPEN_CAP).contains(&self.open_cap), ManagerError::OpenCap);
        control!(self.treasury != Pubkey::default(), ManagerError::TreasuryIsZero);
        Ok(())
    }

    /// Members that may vote.
    #[must_use]
    pub fn voters(&self) -> usize {
        self.with_role(role::VOTE)
    }

    fn with_role(&self, role: u8) -> usize {
        self.members.iter().filter(|m| m.may(role)).count()
    }

    /// The member with `key`.
    #[must_use]
    pub fn member(&self, key: &Pubkey) -> Option<&Member> {
        let at = self.members.binary_search_by_key(key, |m| m.key).ok()?;
        self.members.get(at)
    }

    /// The member with `key`, who must have `role`.
    ///
    /// # Errors
    /// [`ManagerError::NotAMember`] or [`ManagerError::RoleMissing`].
    pub fn require_role(&self, key: &Pubkey, role: u8) -> Result<()> {
        let member = self.member(key).ok_or(ManagerError::NotAMember)?;
        control!(member.may(role), ManagerError::RoleMissing);
        Ok(())
    }

    /// Counts a new proposal of `proposer` and returns its id.
    ///
    /// # Errors
    /// [`ManagerError::TooManyOpen`] at the cap, [`ManagerError::NotAMember`].
    pub fn open_proposal(&mut self, proposer: &Pubkey) -> Result<u64> {
        let cap = self.open_cap;
        let member = self.member_mut(proposer).ok_or(ManagerError::NotAMember)?;
        control!(member.open < cap, ManagerError::TooManyOpen);
        member.open = member.open.checked_add(1).ok_or(ManagerError::Overflow)?;
        let id = self.next_proposal;
        self.next_proposal = id.checked_add(1).ok_or(ManagerError::Overflow)?;
        Ok(id)
    }

    /// Counts an ended proposal of `proposer`; a proposer who is no longer a member has no count.
    pub fn end_proposal(&mut self, proposer: &Pubkey) {
        if let Some(member) = self.member_mut(proposer) {
            member.open = member.open.saturating_sub(1);
        }
    }

    fn member_mut(&mut self, key: &Pubkey) -> Option<&mut Member> {
        let at = self.members.binary_search_by_key(key, |m| m.key).ok()?;
        self.members.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(voters: u8, threshold: u8) -> MultisigConfig {
        let members = (1..=voters)
            .map(|i| Member { key: Pubkey::new_from_array([i; 32]), roles: role::ALL, open: 0 })
            .collect();
        MultisigConfig {
            layout: 1,
            bump: 0,
            create_key: Pubkey::new_from_array([9; 32]),
            config_epoch: 0,
            threshold,
            open_cap: 2,
            allow_durable_nonce: false,
            timelock_floor: 3600,
            timelock: 48 * 3600,
            execution_window: 24 * 3600,
            rollback_window: 7 * 24 * 3600,
            treasury: Pubkey::new_from_array([8; 32]),
            next_proposal: 0,
            members,
            reserved: [0; 128],
        }
    }

    #[test]
    fn a_threshold_is_a_majority_of_the_voters() {
        for n in 1..=16u8 {
            for t in 0..=17u8 {
                let fits = t > n / 2 && t <= n;
                assert_eq!(config(n, t).invariant().is_ok(), fits, "{t} of {n}");
            }
        }
    }

    #[test]
    fn members_are_sorted_unique_and_not_zero() {
        let mut c = config(3, 2);
        c.members.swap(0, 1);
        assert!(c.invariant().is_err());
        let mut c = config(3, 2);
        c.members[1] = c.members[0];
        assert!(c.invariant().is_err());
        let mut c = config(3, 2);
        c.members[0].key = Pubkey::default();
        assert!(c.invariant().is_err());
        let mut c = config(3, 2);
        c.members[0].roles = 8;
        assert!(c.invariant().is_err());
    }

    #[test]
    fn the_timelock_never_falls_below_its_floor() {
        let mut c = config(3, 2);
        c.timelock = c.timelock_floor - 1;
        assert!(c.invariant().is_err());
        c.timelock = c.timelock_floor;
        assert!(c.invariant().is_ok());
        c.timelock = MAX_TIMELOCK + 1;
        assert!(c.invariant().is_err());
    }

    #[test]
    fn a_member_cannot_open_more_than_the_cap() {
        let mut c = config(3, 2);
        let who = c.members[1].key;
        assert_eq!(c.open_proposal(&who).unwrap(), 0);
        assert_eq!(c.open_proposal(&who).unwrap(), 1);
        assert!(c.open_proposal(&who).is_err());
        c.end_proposal(&who);
        assert_eq!(c.open_proposal(&who).unwrap(), 2);
    }
}
