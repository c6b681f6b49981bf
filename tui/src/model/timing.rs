//! How long votes can be cast, how long a timelock lasts, how long a proposal can be executed. Calls the program's own
//! rules with the chain's time; the operator's clock decides nothing.
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

/// The timing of a proposal. Numbers are seconds unless the variant says slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// The chain's clock has not been read yet.
    Unknown,
    /// Votes can be cast for this long.
    Voting(i64),
    /// Not approved or not executed in time; anyone may record it as expired.
    TooLate,
    /// Approved; the timelock ends in this time.
    Waiting(i64),
    /// The timelock is over by the clock, but this many slots must still pass.
    WaitingSlots(u64),
    /// Can be executed for this long.
    Ready(i64),
    /// Paused; can be executed after this time, or earlier if members lift the pause.
    Paused(i64),
    /// The pause outlasts the execution window, which closes in this time.
    PausedPastWindow(i64),
    /// Executed; members can vote for rollback for this long.
    Executed(i64),
    /// Rollback is approved; it has no deadline.
    RollingBack,
    /// No deadline is left.
    Ended,
}

/// The timing of an upgrade proposal at `now`.
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

/// Whether anyone may record the proposal as expired: it is too late, or the multisig's rules have changed since.
fn is_over(proposal: &impl Votable, config: Option<&MultisigConfig>, now: ChainNow) -> bool {
    match config {
        Some(config) => proposal.require_expired(config, now.unix).is_ok(),
        None => now.unix > proposal.deadline(),
    }
}

/// The timing of a proposal about a multisig at `now`.
pub fn multisig_timing(
    proposal: &GovernanceProposal,
    config: Option<&MultisigConfig>,
    now: Option<ChainNow>,
) -> Timing {
    let Some(now) = now else { return Timing::Unknown };
    voting(proposal, config, now).unwrap_or(Timing::Ended)
}

/// The timing up to execution; `None` afterwards.
fn voting(
    proposal: &impl Votable,
    config: Option<&MultisigConfig>,
    now: ChainNow,
) -> Option<Timing> {
    let (stage, left) = (proposal.voting_state(), |until: i64| until.saturating_sub(now.unix));
    let paused = config.map_or(0, |c| paused_until(proposal, c));
    Some(match stage.status {
        s if s.is_voting() && is_over(proposal, config, now) => Timing::TooLate,
        ProposalStatus::Active => Timing::Voting(left(proposal.deadline())),
        ProposalStatus::Timelocked if now.unix < paused && paused > stage.window_end => {
            Timing::PausedPastWindow(left(stage.window_end))
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
            Self::TooLate => "time is over".to_owned(),
            Self::Waiting(left) => format!("executable in {}", countdown(left)),
            Self::WaitingSlots(slots) => format!("waits for {slots} more slots"),
            Self::Ready(left) => format!("ready to execute, {} left", countdown(left)),
            Self::Paused(left) => format!("PAUSED, executable in {}", countdown(left)),
            Self::PausedPastWindow(left) => format!("PAUSED, window ends in {}", countdown(left)),
            Self::Executed(left) => format!("rollback open {}", countdown(left)),
            Self::RollingBack => "rollback decided".to_owned(),
            Self::Ended => "ended".to_owned(),
        }
    }

    /// The meaning that decides colour and glyph.
    pub fn meaning(self) -> Meaning {
        match self {
            Self::Ready(_) => Meaning::Ok,
            Self::Waiting(_) | Self::WaitingSlots(_) | Self::Voting(_) => Meaning::Pending,
            Self::TooLate | Self::RollingBack | Self::Paused(_) | Self::PausedPastWindow(_) => {
                Meaning::Warn
            }
            Self::Unknown | Self::Executed(_) | Self::Ended => Meaning::Muted,
        }
    }
}

/// The meaning that decides the colour of a status.
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
        assert_eq!(timing(p, c, None, at(p.window_end + 1, floor)), Timing::TooLate);
    }

    #[test]
    fn a_paused_proposal_is_not_ready_until_the_pause_is_over() {
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
        assert_eq!(when(&f.multisig, p.eta), Timing::PausedPastWindow(window));
        f.multisig.paused_until = 0;
        assert_eq!(when(&f.multisig, p.eta), Timing::Ready(window), "lifted by votes");
    }

    #[test]
    fn voting_ends_with_the_proposal() {
        let f = fixtures::active(1);
        let p = &f.proposal;
        let end = p.terms.expires_at;
        assert_eq!(timing(p, Some(&f.multisig), None, at(end, 0)), Timing::Voting(0));
        assert_eq!(timing(p, Some(&f.multisig), None, at(end + 1, 0)), Timing::TooLate);
    }

    #[test]
    fn rollback_stays_open_to_the_end_of_its_window() {
        let f = fixtures::migrating(120, 0);
        let (p, s) = (&f.proposal, Some(&f.state));
        assert_eq!(timing(p, None, s, at(p.rollback_until, 0)), Timing::Executed(0));
        assert_eq!(timing(p, None, s, at(p.rollback_until + 1, 0)), Timing::Ended);
    }
}
