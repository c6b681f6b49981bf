//! What time means for a proposal: how long votes can be cast, how long to wait, how long it can be
//! executed. Asks the chain's own rules with the chain's time; the operator's clock decides nothing.
use upgrade_manager::state::{
    GovernanceProposal, MultisigConfig, Phase, ProgramUpgradeState, ProposalStatus,
    UpgradeProposal, Votable,
};

use indexer::paused_until;

use crate::{text::countdown, theme::Meaning};

/// The chain's clock as the screens know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainNow {
    /// Seconds since 1970.
    pub unix: i64,
    /// Slot.
    pub slot: u64,
}

/// Where a proposal stands in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// The chain's clock has not been read yet.
    Unknown,
    /// Votes can be cast for so many seconds.
    Voting(i64),
    /// Votes or execution came too late; anyone may record it.
    Over,
    /// Approved; so many seconds to wait.
    Waiting(i64),
    /// The clock is there, but so many slots are missing.
    WaitingSlots(u64),
    /// Can be executed for so many seconds.
    Ready(i64),
    /// Paused; can be executed in so many seconds if nobody lifts the pause before.
    Paused(i64),
    /// Paused beyond the end of the window, which closes in so many seconds.
    Shut(i64),
    /// Executed; members can vote for rollback for so many seconds.
    Executed(i64),
    /// Members voted for rollback; it can be finished at any time.
    RollingBack,
    /// Nothing is timed any more.
    Ended,
}

/// Where `proposal` stands at `now`.
pub fn timing(
    proposal: &UpgradeProposal,
    config: Option<&MultisigConfig>,
    state: Option<&ProgramUpgradeState>,
    now: Option<ChainNow>,
) -> Timing {
    let Some(now) = now else { return Timing::Unknown };
    let left = |until: i64| until.saturating_sub(now.unix);
    if let Some(timing) = voting(proposal, config, now) {
        return timing;
    }
    match proposal.status {
        s if s.is_executed() => {
            let rolling = state.is_some_and(|s| s.phase == Phase::RollingBack);
            if proposal.rollback_approved_at != 0 && rolling {
                Timing::RollingBack
            } else if left(proposal.rollback_until) >= 0 {
                Timing::Executed(left(proposal.rollback_until))
            } else {
                Timing::Ended
            }
        }
        _ => Timing::Ended,
    }
}

/// Anyone may record that it came too late, or that the multisig has changed since.
fn is_over(proposal: &impl Votable, config: Option<&MultisigConfig>, now: ChainNow) -> bool {
    match config {
        Some(config) => proposal.require_expired(config, now.unix).is_ok(),
        None => now.unix > proposal.deadline(),
    }
}

/// Where `proposal`, about a multisig, stands at `now`.
pub fn multisig_timing(
    proposal: &GovernanceProposal,
    config: Option<&MultisigConfig>,
    now: Option<ChainNow>,
) -> Timing {
    let Some(now) = now else { return Timing::Unknown };
    voting(proposal, config, now).unwrap_or(Timing::Ended)
}

/// Where a proposal stands while members vote and wait; `None` afterwards.
fn voting(
    proposal: &impl Votable,
    config: Option<&MultisigConfig>,
    now: ChainNow,
) -> Option<Timing> {
    let (stage, left) = (proposal.voting_state(), |until: i64| until.saturating_sub(now.unix));
    let paused = config.map_or(0, |c| paused_until(proposal, c));
    Some(match stage.status {
        s if s.is_voting() && is_over(proposal, config, now) => Timing::Over,
        ProposalStatus::Active => Timing::Voting(left(proposal.deadline())),
        ProposalStatus::Timelocked if now.unix < paused && paused > stage.window_end => {
            Timing::Shut(left(stage.window_end))
        }
        ProposalStatus::Timelocked if now.unix < paused && paused > stage.eta => {
            Timing::Paused(left(paused))
        }
        ProposalStatus::Timelocked if now.unix < stage.eta => Timing::Waiting(left(stage.eta)),
        ProposalStatus::Timelocked => match config {
            Some(c) if proposal.require_executable(c, now.unix, now.slot).is_err() => {
                Timing::WaitingSlots(proposal.slot_floor(c.timelock).saturating_sub(now.slot))
            }
            _ => Timing::Ready(left(stage.window_end)),
        },
        _ => return None,
    })
}

impl Timing {
    /// One short phrase for a table cell.
    pub fn phrase(self) -> String {
        match self {
            Self::Unknown => "chain time unknown".to_owned(),
            Self::Voting(left) => format!("votes close in {}", countdown(left)),
            Self::Over => "time is over".to_owned(),
            Self::Waiting(left) => format!("executable in {}", countdown(left)),
            Self::WaitingSlots(slots) => format!("waits for {slots} more slots"),
            Self::Ready(left) => format!("ready to execute, {} left", countdown(left)),
            Self::Paused(left) => format!("PAUSED, executable in {}", countdown(left)),
            Self::Shut(left) => format!("PAUSED past its end in {}", countdown(left)),
            Self::Executed(left) => format!("rollback open {}", countdown(left)),
            Self::RollingBack => "rollback decided".to_owned(),
            Self::Ended => "ended".to_owned(),
        }
    }

    /// What it means for the eye.
    pub fn meaning(self) -> Meaning {
        match self {
            Self::Ready(_) => Meaning::Ok,
            Self::Waiting(_) | Self::WaitingSlots(_) | Self::Voting(_) => Meaning::Pending,
            Self::Over | Self::RollingBack | Self::Paused(_) | Self::Shut(_) => Meaning::Warn,
            Self::Unknown | Self::Executed(_) | Self::Ended => Meaning::Muted,
        }
    }
}

/// What a status means for the eye.
pub fn status_meaning(status: ProposalStatus) -> Meaning {
    match status {
        ProposalStatus::Active | ProposalStatus::Timelocked | ProposalStatus::Migrating => {
            Meaning::Pending
        }
        ProposalStatus::Executed | ProposalStatus::Completed => Meaning::Ok,
        ProposalStatus::RolledBack | ProposalStatus::Superseded => Meaning::Warn,
        ProposalStatus::Rejected | ProposalStatus::Cancelled | ProposalStatus::Expired => {
            Meaning::Muted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn at(unix: i64, slot: u64) -> Option<ChainNow> {
        Some(ChainNow { unix, slot })
    }

    #[test]
    fn a_timelock_ends_only_when_clock_and_slots_agree() {
        let f = fixtures::timelocked();
        let (p, c) = (&f.proposal, Some(&f.multisig));
        assert_eq!(timing(p, c, None, None), Timing::Unknown);
        assert_eq!(timing(p, c, None, at(p.eta - 1, u64::MAX)), Timing::Waiting(1));
        let floor = p.slot_floor(f.multisig.timelock);
        assert_eq!(timing(p, c, None, at(p.eta, floor - 7)), Timing::WaitingSlots(7));
        let window = p.window_end - p.eta;
        assert_eq!(timing(p, c, None, at(p.eta, floor)), Timing::Ready(window));
        assert_eq!(timing(p, c, None, at(p.window_end, floor)), Timing::Ready(0));
        assert_eq!(timing(p, c, None, at(p.window_end + 1, floor)), Timing::Over);
    }

    #[test]
    fn what_is_paused_is_not_ready_until_the_pause_is_over() {
        let mut f = fixtures::timelocked();
        let (p, floor) = (f.proposal.clone(), f.proposal.slot_floor(f.multisig.timelock));
        let when = |c: &MultisigConfig, unix| timing(&p, Some(c), None, at(unix, floor));
        f.multisig.paused_until = p.eta + 60;
        assert_eq!(when(&f.multisig, p.eta - 5), Timing::Paused(65), "the timelock ends before");
        assert_eq!(when(&f.multisig, p.eta), Timing::Paused(60));
        assert!(!Timing::Paused(60).phrase().contains("ready"), "{}", Timing::Paused(60).phrase());
        assert!(matches!(when(&f.multisig, p.eta + 60), Timing::Ready(_)));
        f.multisig.paused_until = p.window_end + 1;
        let window = p.window_end - p.eta;
        assert_eq!(when(&f.multisig, p.eta), Timing::Shut(window));
        f.multisig.paused_until = 0;
        assert_eq!(when(&f.multisig, p.eta), Timing::Ready(window), "lifted by votes");
    }

    #[test]
    fn voting_ends_with_the_proposal() {
        let f = fixtures::active(1);
        let p = &f.proposal;
        let end = p.terms.expires_at;
        assert_eq!(timing(p, Some(&f.multisig), None, at(end, 0)), Timing::Voting(0));
        assert_eq!(timing(p, Some(&f.multisig), None, at(end + 1, 0)), Timing::Over);
    }

    #[test]
    fn rollback_stays_open_to_the_end_of_its_window() {
        let f = fixtures::migrating(120, 0);
        let (p, s) = (&f.proposal, Some(&f.state));
        assert_eq!(timing(p, None, s, at(p.rollback_until, 0)), Timing::Executed(0));
        assert_eq!(timing(p, None, s, at(p.rollback_until + 1, 0)), Timing::Ended);
    }
}
