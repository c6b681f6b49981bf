//! What must hold for every multisig after every change.
use anchor_lang::prelude::*;

use super::{
    MAX_OPEN_CAP, MAX_TIMELOCK, MAX_WINDOW, MIN_CRITICAL_TIMELOCK, MIN_CRITICAL_VOTERS,
    MIN_TIMELOCK, MIN_WINDOW, MultisigConfig, role,
};
use crate::error::ManagerError;
use crate::runtime::require::require;
use crate::state::rules::{MAX_MEMBERS, SquadsVault};

impl MultisigConfig {
    /// Every rule that must hold after any change.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn invariant(&self) -> Result<()> {
        self.members_invariant()?;
        require!(self.timelock_floor >= MIN_TIMELOCK, ManagerError::TimelockFloor);
        require!(
            (self.timelock_floor..=MAX_TIMELOCK).contains(&self.timelock),
            ManagerError::Timelock
        );
        for window in [self.execution_window, self.rollback_window] {
            require!((MIN_WINDOW..=MAX_WINDOW).contains(&window), ManagerError::Window);
        }
        require!((1..=MAX_OPEN_CAP).contains(&self.open_cap), ManagerError::OpenCap);
        require!(self.treasury != Pubkey::default(), ManagerError::TreasuryIsZero);
        if let Some(guardian) = &self.guardian {
            let separate = *guardian != Pubkey::default() && self.member(guardian).is_none();
            require!(separate, ManagerError::GuardianIsMember);
        }
        if let Some(squads) = &self.squads {
            self.squads_invariant(squads)?;
        }
        if self.critical {
            self.critical_invariant()?;
        }
        Ok(())
    }

    fn members_invariant(&self) -> Result<()> {
        let n = self.members.len();
        require!((1..=MAX_MEMBERS).contains(&n), ManagerError::MemberCount);
        let sorted = self.members.windows(2).all(|w| matches!(w, [a, b] if a.key < b.key));
        require!(sorted, ManagerError::MembersNotSortedUnique);
        for member in &self.members {
            require!(member.key != Pubkey::default(), ManagerError::MemberIsZero);
            let valid_roles = member.roles != 0 && member.roles & !role::ALL == 0;
            require!(valid_roles, ManagerError::MemberRoles);
        }
        let (voters, threshold) = (self.voters(), usize::from(self.threshold));
        require!(threshold > voters / 2 && threshold <= voters, ManagerError::Threshold);
        require!(self.with_role(role::PROPOSE) > 0, ManagerError::NobodyProposes);
        require!(self.with_role(role::EXECUTE) > 0, ManagerError::NobodyExecutes);
        Ok(())
    }

    /// The vault is the only voter, and the majority of at least two is among the members behind
    /// it.
    fn squads_invariant(&self, squads: &SquadsVault) -> Result<()> {
        let votes = self.member(&squads.vault()).is_some_and(|m| m.may(role::VOTE));
        require!(votes && self.voters() == 1, ManagerError::SquadsVoter);
        let (threshold, voters) = (squads.min_threshold, squads.min_voters);
        let majority = threshold >= 2 && threshold > voters / 2 && threshold <= voters;
        require!(majority, ManagerError::SquadsVoter);
        Ok(())
    }

    /// What must hold for the multisig that governs the manager itself.
    pub(super) fn critical_invariant(&self) -> Result<()> {
        let voters = self.voters();
        let four_fifths = usize::from(self.threshold).saturating_mul(5) >= voters.saturating_mul(4);
        let strict = self.squads.is_none() && voters >= MIN_CRITICAL_VOTERS && four_fifths;
        require!(strict, ManagerError::CriticalPolicy);
        require!(self.timelock_floor >= MIN_CRITICAL_TIMELOCK, ManagerError::CriticalPolicy);
        Ok(())
    }
}
