//! When a proposal can be executed, by the chain's clock and the chain's rules; this module adds
//! only the words and the seconds left.
use upgrade_manager::{
    error::ManagerError,
    state::{MultisigConfig, ProposalStatus, Votable},
};

use crate::{gateway::ChainTime, preflight::Check};

/// Where a proposal stands in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Not approved: nothing runs.
    NotApproved,
    /// Approved; the timelock runs.
    Waiting {
        /// Seconds until `eta`.
        seconds: i64,
        /// Slots until the slot floor, 0 when it is behind.
        slots: u64,
    },
    /// Can be executed.
    Ready {
        /// Seconds until the window closes.
        seconds: i64,
    },
    /// The window is over.
    Over,
}

/// Answers what time it is for a proposal.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimelockManager;

impl TimelockManager {
    /// Where `proposal` stands at `now`.
    #[must_use]
    pub fn timing(
        &self,
        proposal: &impl Votable,
        config: &MultisigConfig,
        now: ChainTime,
    ) -> Timing {
        let stage = proposal.voting_state();
        if stage.status != ProposalStatus::Timelocked {
            return Timing::NotApproved;
        }
        match proposal.require_executable(config, now.unix, now.slot) {
            Ok(()) => Timing::Ready { seconds: stage.window_end.saturating_sub(now.unix) },
            Err(e) if e == ManagerError::Expired.into() => Timing::Over,
            Err(_) => Timing::Waiting {
                seconds: stage.eta.saturating_sub(now.unix).max(0),
                slots: proposal.slot_floor(config.timelock).saturating_sub(now.slot),
            },
        }
    }

    /// The same as a check before execution.
    #[must_use]
    pub fn check(&self, proposal: &impl Votable, config: &MultisigConfig, now: ChainTime) -> Check {
        let status = proposal.voting_state().status.name();
        match self.timing(proposal, config, now) {
            Timing::NotApproved => Check::fail(format!(
                "The proposal is {status}, not Timelocked: it cannot be executed."
            )),
            Timing::Waiting { seconds, slots: 0 } => {
                Check::fail(format!("The timelock lasts another {}.", span(seconds)))
            }
            Timing::Waiting { seconds: 0, slots } => Check::fail(format!(
                "The timelock is over by the clock, but {slots} more slots must pass; wait."
            )),
            Timing::Waiting { seconds, slots } => Check::fail(format!(
                "The timelock lasts another {}, and {slots} more slots must pass.",
                span(seconds)
            )),
            Timing::Ready { seconds } => Check::pass(format!(
                "The timelock is over; the window to execute stays open for {}.",
                span(seconds)
            )),
            Timing::Over => Check::fail(
                "The window to execute is over: the proposal has expired. Propose again.",
            ),
        }
    }
}

/// Seconds in words, exact.
#[must_use]
pub fn span(seconds: i64) -> String {
    let s = seconds.max(0);
    let part = |n: i64, unit: &str| (n > 0).then(|| format!("{n} {unit}"));
    let parts: Vec<String> = [
        part(s / 86_400, "d"),
        part(s % 86_400 / 3_600, "h"),
        part(s % 3_600 / 60, "min"),
        part(s % 60, "s"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { "0 s".into() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_exact() {
        assert_eq!(span(0), "0 s");
        assert_eq!(span(-5), "0 s");
        assert_eq!(span(61), "1 min 1 s");
        assert_eq!(span(2 * 86_400 + 3_600), "2 d 1 h");
    }
}
