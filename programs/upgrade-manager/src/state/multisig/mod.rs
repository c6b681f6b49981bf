//! The account of a multisig: members, threshold and times, and the rules for changing them. What
//! must hold for every multisig is in [`invariant`]. Pure: the clock comes in as a value.
mod invariant;

use anchor_lang::prelude::*;

use super::layout::LAYOUT;
use super::rules::{MAX_MEMBERS, MemberArgs, MultisigRules, SquadsVault};
use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;

/// Longest timelock in seconds: 90 days, Squads v4's `MAX_TIME_LOCK`. A timelock longer than a
/// proposal can live would never be over in time, so the multisig could never change it again.
pub const MAX_TIMELOCK: u32 = 90 * 24 * 3600;
/// Lowest floor of a timelock in seconds: 48 hours.
pub const MIN_TIMELOCK: u32 = 48 * 3600;
/// Lowest floor of the timelock of the multisig that manages the manager itself, in seconds: 7
/// days.
pub const MIN_CRITICAL_TIMELOCK: u32 = 7 * 24 * 3600;
/// Fewest voters of the multisig that manages the manager itself.
pub const MIN_CRITICAL_VOTERS: usize = 5;
/// How long one pause lasts, in seconds: 72 hours. The guardian can pause again only after a rest
/// of the same length.
pub const PAUSE_SECONDS: i64 = 72 * 3600;
/// Shortest execution and rollback window in seconds.
pub const MIN_WINDOW: u32 = 3600;
/// Longest execution and rollback window in seconds.
pub const MAX_WINDOW: u32 = 90 * 24 * 3600;
/// Most proposals one member may have open at once.
pub const MAX_OPEN_CAP: u8 = 16;

/// The roles of a member, one bit each.
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

/// A multisig: its members, threshold and times.
#[account]
#[derive(InitSpace, Debug, PartialEq, Eq)]
pub struct MultisigConfig {
    /// [`super::LAYOUT`] at creation.
    pub layout: u8,
    /// Bump of this address.
    pub bump: u8,
    /// The key that signed the creation and seeds the address.
    pub create_key: Pubkey,
    /// Slot of the creation, and one more for every change of the rules; proposals of an older
    /// epoch are stale. A multisig made again at this address never repeats an epoch.
    pub config_epoch: u64,
    /// Approvals that start a proposal's timelock.
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
    /// Who paid for this account.
    pub payer: Pubkey,
    /// The guardian: may veto, pause and roll back, and nothing else.
    pub guardian: Option<Pubkey>,
    /// The Squads vault that is the multisig's only voter.
    pub squads: Option<SquadsVault>,
    /// Chain time until which executions are paused, 0 when never.
    pub paused_until: i64,
    /// Chain time before which the guardian cannot pause again, 0 when never.
    pub pause_again: i64,
    /// Votes to lift the pause: one bit for each position in `members`.
    pub unpause_votes: u16,
    /// Programs that the multisig decides about.
    pub programs: u32,
    /// Proposals that have not ended, of past members too.
    pub open_proposals: u32,
    /// Whether the multisig manages the manager itself.
    pub critical: bool,
    /// Whether the multisig has ended.
    pub dissolved: bool,
    /// Zero; reserved for later layouts.
    pub reserved: [u8; 32],
}

impl MultisigConfig {
    /// A new multisig, made in `slot`.
    ///
    /// # Errors
    /// The first rule of [`Self::invariant`] that does not hold.
    pub fn new(
        rules: MultisigRules,
        (create_key, bump): (Pubkey, u8),
        payer: Pubkey,
        slot: u64,
    ) -> Result<Self> {
        let mut config = Self {
            layout: LAYOUT,
            bump,
            create_key,
            config_epoch: slot,
            threshold: 0,
            open_cap: 0,
            allow_durable_nonce: false,
            timelock_floor: 0,
            timelock: 0,
            execution_window: 0,
            rollback_window: 0,
            treasury: Pubkey::default(),
            next_proposal: 0,
            members: vec![],
            payer,
            guardian: None,
            squads: None,
            paused_until: 0,
            pause_again: 0,
            unpause_votes: 0,
            programs: 0,
            open_proposals: 0,
            critical: false,
            dissolved: false,
            reserved: [0; 32],
        };
        config.apply(rules);
        config.invariant()?;
        Ok(config)
    }

    /// The rules as they are now.
    #[must_use]
    pub fn rules(&self) -> MultisigRules {
        let args = |m: &Member| MemberArgs { key: m.key, roles: m.roles };
        MultisigRules {
            threshold: self.threshold,
            open_cap: self.open_cap,
            allow_durable_nonce: self.allow_durable_nonce,
            timelock_floor: self.timelock_floor,
            timelock: self.timelock,
            execution_window: self.execution_window,
            rollback_window: self.rollback_window,
            treasury: self.treasury,
            guardian: self.guardian,
            squads: self.squads,
            members: self.members.iter().map(args).collect(),
        }
    }

    /// Replaces the rules; every proposal that has not ended becomes stale.
    ///
    /// # Errors
    /// [`ManagerError::TimelockFloor`] for a lower floor, or the first rule that does not hold.
    pub fn change(&mut self, rules: MultisigRules) -> Result<()> {
        require!(rules.timelock_floor >= self.timelock_floor, ManagerError::TimelockFloor);
        self.apply(rules);
        self.next_epoch()?;
        self.invariant()
    }

    /// Makes every proposal that has not ended stale.
    fn next_epoch(&mut self) -> Result<()> {
        self.config_epoch = self.config_epoch.checked_add(1).or_err(ManagerError::Overflow)?;
        // Each bit stands for a position in `members`, which may have changed.
        self.unpause_votes = 0;
        Ok(())
    }

    fn apply(&mut self, rules: MultisigRules) {
        let open = |key: &Pubkey| self.member(key).map_or(0, |m| m.open);
        let member = |m: &MemberArgs| Member { key: m.key, roles: m.roles, open: open(&m.key) };
        self.members = rules.members.iter().map(member).collect();
        self.threshold = rules.threshold;
        self.open_cap = rules.open_cap;
        self.allow_durable_nonce = rules.allow_durable_nonce;
        self.timelock_floor = rules.timelock_floor;
        self.timelock = rules.timelock;
        self.execution_window = rules.execution_window;
        self.rollback_window = rules.rollback_window;
        self.treasury = rules.treasury;
        self.guardian = rules.guardian;
        self.squads = rules.squads;
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
        let member = self.member(key).or_err(ManagerError::NotAMember)?;
        require!(member.may(role), ManagerError::RoleMissing);
        Ok(())
    }

    /// Whether `key` may vote.
    #[must_use]
    pub fn may_vote(&self, key: &Pubkey) -> bool {
        self.member(key).is_some_and(|m| m.may(role::VOTE))
    }

    /// `key` is the guardian.
    ///
    /// # Errors
    /// [`ManagerError::NotGuardian`].
    pub fn require_guardian(&self, key: &Pubkey) -> Result<()> {
        require!(self.guardian == Some(*key), ManagerError::NotGuardian);
        Ok(())
    }

    /// `key` may carry out a rollback that was decided: an executor, or the guardian.
    ///
    /// # Errors
    /// [`ManagerError::NotAMember`] or [`ManagerError::RoleMissing`].
    pub fn require_restorer(&self, key: &Pubkey) -> Result<()> {
        if self.guardian == Some(*key) { Ok(()) } else { self.require_role(key, role::EXECUTE) }
    }

    /// The multisig has not ended.
    ///
    /// # Errors
    /// [`ManagerError::Dissolved`].
    pub fn require_not_dissolved(&self) -> Result<()> {
        require!(!self.dissolved, ManagerError::Dissolved);
        Ok(())
    }

    /// Executions are not paused.
    ///
    /// # Errors
    /// [`ManagerError::Paused`].
    pub fn require_not_paused(&self, now: i64) -> Result<()> {
        require!(now >= self.paused_until, ManagerError::Paused);
        Ok(())
    }

    /// Pauses executions from `now` on. The guardian can pause again only after a rest of the same
    /// length behind the pause.
    ///
    /// # Errors
    /// [`ManagerError::Paused`], [`ManagerError::PauseTooSoon`] or [`ManagerError::Overflow`].
    pub fn pause(&mut self, now: i64) -> Result<()> {
        self.require_not_paused(now)?;
        require!(now >= self.pause_again, ManagerError::PauseTooSoon);
        self.paused_until = now.checked_add(PAUSE_SECONDS).or_err(ManagerError::Overflow)?;
        self.pause_again =
            self.paused_until.checked_add(PAUSE_SECONDS).or_err(ManagerError::Overflow)?;
        self.unpause_votes = 0;
        Ok(())
    }

    /// Counts the vote of `member` to lift the pause, and lifts it when the threshold is reached.
    ///
    /// # Errors
    /// [`ManagerError::NotPaused`], [`ManagerError::AlreadyVoted`], or what the member lacks.
    pub fn unpause(&mut self, member: &Pubkey, now: i64) -> Result<()> {
        self.require_role(member, role::VOTE)?;
        require!(now < self.paused_until, ManagerError::NotPaused);
        let place = self.members.iter().position(|m| m.key == *member);
        let bit = place.and_then(|at| 1u16.checked_shl(u32::try_from(at).ok()?));
        let bit = bit.or_err(ManagerError::NotAMember)?;
        require!(self.unpause_votes & bit == 0, ManagerError::AlreadyVoted);
        self.unpause_votes |= bit;
        if self.unpause_votes.count_ones() >= u32::from(self.threshold) {
            (self.paused_until, self.unpause_votes) = (0, 0);
        }
        Ok(())
    }

    /// Counts one more program. For the manager itself stricter rules must hold, now and from then
    /// on.
    ///
    /// # Errors
    /// [`ManagerError::Dissolved`], [`ManagerError::CriticalPolicy`], [`ManagerError::Overflow`].
    pub fn add_program(&mut self, program: &Pubkey) -> Result<()> {
        self.require_not_dissolved()?;
        if *program == crate::ID {
            self.critical_invariant()?;
            self.critical = true;
        }
        self.programs = self.programs.checked_add(1).or_err(ManagerError::Overflow)?;
        Ok(())
    }

    /// Counts one program less.
    ///
    /// # Errors
    /// [`ManagerError::Overflow`].
    pub fn remove_program(&mut self, program: &Pubkey) -> Result<()> {
        self.programs = self.programs.checked_sub(1).or_err(ManagerError::Overflow)?;
        if *program == crate::ID {
            self.critical = false;
        }
        Ok(())
    }

    /// Ends the multisig, which must have no programs and no open proposals.
    ///
    /// # Errors
    /// [`ManagerError::ProgramsRegistered`] or [`ManagerError::Overflow`].
    pub fn dissolve(&mut self) -> Result<()> {
        let empty = self.programs == 0 && self.open_proposals == 0;
        require!(empty, ManagerError::ProgramsRegistered);
        self.dissolved = true;
        self.next_epoch()
    }

    /// Counts a new proposal of `proposer` and returns its id.
    ///
    /// # Errors
    /// [`ManagerError::TooManyOpen`] at the cap, [`ManagerError::NotAMember`].
    pub fn open_proposal(&mut self, proposer: &Pubkey) -> Result<u64> {
        let cap = self.open_cap;
        let member = self.member_mut(proposer).or_err(ManagerError::NotAMember)?;
        require!(member.open < cap, ManagerError::TooManyOpen);
        member.open = member.open.checked_add(1).or_err(ManagerError::Overflow)?;
        self.open_proposals = self.open_proposals.checked_add(1).or_err(ManagerError::Overflow)?;
        let id = self.next_proposal;
        self.next_proposal = id.checked_add(1).or_err(ManagerError::Overflow)?;
        Ok(id)
    }

    /// Counts an ended proposal of `proposer`, who may no longer be a member.
    pub fn end_proposal(&mut self, proposer: &Pubkey) {
        self.open_proposals = self.open_proposals.saturating_sub(1);
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
mod tests;
