//! The votes on a proposal and what follows from them. Pure: the clock comes in as a value.
use anchor_lang::prelude::*;

use super::multisig::{MultisigConfig, role};
use super::rules::MAX_MEMBERS;
use crate::error::ManagerError;
use crate::runtime::require::require;

/// How a member voted.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// For.
    Approve,
    /// Against.
    Reject,
}

impl Choice {
    /// The choice's name, the same everywhere.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Reject => "Reject",
        }
    }
}

/// One member's vote.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The member.
    pub member: Pubkey,
    /// For or against.
    pub choice: Choice,
    /// Chain time of the vote.
    pub at: i64,
}

/// One member's vote for rollback.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollbackVote {
    /// The member.
    pub member: Pubkey,
    /// Whether the member also agrees to give up accounts that cannot be restored.
    pub give_up: bool,
}

/// All votes on one proposal.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Debug, PartialEq, Eq, Default)]
pub struct Ballot {
    /// Approvals and rejections.
    #[max_len(MAX_MEMBERS)]
    pub votes: Vec<Vote>,
    /// Members who want to cancel.
    #[max_len(MAX_MEMBERS)]
    pub cancel: Vec<Pubkey>,
    /// Members who want to roll back.
    #[max_len(MAX_MEMBERS)]
    pub rollback: Vec<RollbackVote>,
}

/// What the votes decide so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// Neither side has decided.
    Open,
    /// Enough approvals.
    Approved,
    /// Approval cannot be reached any more.
    Rejected,
}

impl Ballot {
    /// Number of votes with `choice`.
    #[must_use]
    pub fn count(&self, choice: Choice) -> usize {
        self.votes.iter().filter(|v| v.choice == choice).count()
    }

    /// Number of approvals, as events carry it.
    #[must_use]
    pub fn approvals(&self) -> u8 {
        u8::try_from(self.count(Choice::Approve)).unwrap_or(u8::MAX)
    }

    /// Number of votes for rollback, as events carry it.
    #[must_use]
    pub fn rollback_votes(&self) -> u8 {
        u8::try_from(self.rollback.len()).unwrap_or(u8::MAX)
    }

    /// The vote of `member`.
    #[must_use]
    pub fn vote_of(&self, member: &Pubkey) -> Option<&Vote> {
        self.votes.iter().find(|v| v.member == *member)
    }

    /// What the votes decide under `config`.
    #[must_use]
    pub fn tally(&self, config: &MultisigConfig) -> Tally {
        let threshold = usize::from(config.threshold);
        let could_approve = config.voters().saturating_sub(self.count(Choice::Reject));
        if self.count(Choice::Approve) >= threshold {
            Tally::Approved
        } else if could_approve < threshold {
            Tally::Rejected
        } else {
            Tally::Open
        }
    }

    /// Voters of `config` who have not voted.
    #[must_use]
    pub fn missing(&self, config: &MultisigConfig) -> Vec<Pubkey> {
        let voters = config.members.iter().filter(|m| m.may(role::VOTE));
        voters.map(|m| m.key).filter(|k| self.vote_of(k).is_none()).collect()
    }

    /// Records `choice` of `member`; a second vote must differ from the first and replaces it.
    ///
    /// # Errors
    /// [`ManagerError::AlreadyVoted`].
    pub fn cast(&mut self, member: Pubkey, choice: Choice, at: i64) -> Result<()> {
        match self.votes.iter_mut().find(|v| v.member == member) {
            Some(vote) => {
                require!(vote.choice != choice, ManagerError::AlreadyVoted);
                *vote = Vote { member, choice, at };
            }
            None => self.votes.push(Vote { member, choice, at }),
        }
        Ok(())
    }

    /// Takes the vote of `member` back.
    ///
    /// # Errors
    /// [`ManagerError::NoVote`].
    pub fn revoke(&mut self, member: &Pubkey) -> Result<()> {
        let before = self.votes.len();
        self.votes.retain(|v| v.member != *member);
        require!(self.votes.len() < before, ManagerError::NoVote);
        Ok(())
    }

    /// Records the request of `member` to cancel. Returns whether enough voters of `config` asked.
    /// Requests of members who may no longer vote are dropped.
    ///
    /// # Errors
    /// [`ManagerError::AlreadyVoted`].
    pub fn cast_cancel(&mut self, member: Pubkey, config: &MultisigConfig) -> Result<bool> {
        self.cancel.retain(|key| config.may_vote(key));
        require!(!self.cancel.contains(&member), ManagerError::AlreadyVoted);
        self.cancel.push(member);
        Ok(self.cancel.len() >= usize::from(config.threshold))
    }

    /// Records the vote of `member` for rollback. A second vote may only add `give_up`. Votes of
    /// members who may no longer vote are dropped, because the list has space for current members
    /// only.
    ///
    /// # Errors
    /// [`ManagerError::AlreadyVoted`].
    pub fn cast_rollback(
        &mut self,
        member: Pubkey,
        give_up: bool,
        config: &MultisigConfig,
    ) -> Result<()> {
        self.rollback.retain(|v| config.may_vote(&v.member));
        match self.rollback.iter_mut().find(|v| v.member == member) {
            Some(vote) => {
                require!(give_up && !vote.give_up, ManagerError::AlreadyVoted);
                vote.give_up = true;
            }
            None => self.rollback.push(RollbackVote { member, give_up }),
        }
        Ok(())
    }

    /// Whether enough voters of `config` want to roll back.
    #[must_use]
    pub fn rollback_approved(&self, config: &MultisigConfig) -> bool {
        let votes = self.rollback.iter().filter(|v| config.may_vote(&v.member));
        votes.count() >= usize::from(config.threshold)
    }

    /// Whether enough voters of `config` agreed to give up what cannot be restored.
    #[must_use]
    pub fn may_give_up(&self, config: &MultisigConfig) -> bool {
        let votes = self.rollback.iter().filter(|v| v.give_up && config.may_vote(&v.member));
        votes.count() >= usize::from(config.threshold)
    }
}
