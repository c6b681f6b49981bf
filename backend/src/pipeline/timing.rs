//! When a proposal can be executed. The chain's rules and the chain's clock decide; this module only words
//! the result and counts the seconds left.
use upgrade_manager::{
    error::ManagerError,
    state::{MultisigConfig, ProposalStatus, Votable},
};

use crate::{
    chain::read::ChainTime,
    preflight::{check::Check, text::span},
};

/// How a proposal stands to its timelock and its execution window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Not approved: no timelock runs.
    NotApproved,
    /// Approved; the timelock runs.
    Waiting {
        /// Seconds until `eta`.
        seconds: i64,
        /// Slots until the slot floor, 0 when it has passed.
        slots: u64,
    },
    /// Can be executed.
    Ready {
        /// Seconds until the window closes.
        seconds: i64,
    },
    /// The execution window is over.
    Over,
}

/// Where `proposal` stands at `now`.
pub(crate) fn timing(proposal: &impl Votable, config: &MultisigConfig, now: ChainTime) -> Timing {
    let state = proposal.voting_state();
    if state.status != ProposalStatus::Timelocked {
        return Timing::NotApproved;
    }
    match proposal.require_executable(config, now.unix, now.slot) {
        Ok(()) => Timing::Ready { seconds: state.window_end.saturating_sub(now.unix) },
        Err(e) if e == ManagerError::Expired.into() => Timing::Over,
        Err(_) => Timing::Waiting {
            seconds: state.eta.saturating_sub(now.unix).max(0),
            slots: proposal.slot_floor(config.timelock).saturating_sub(now.slot),
        },
    }
}

/// Checks, before execution, that the timelock is over and the execution window open.
pub(crate) fn check_timelock(
    proposal: &impl Votable,
    config: &MultisigConfig,
    now: ChainTime,
) -> Check {
    let status = proposal.voting_state().status.name();
    match timing(proposal, config, now) {
        Timing::NotApproved => {
            Check::fail(format!("The proposal is {status}, not Timelocked: it cannot be executed."))
        }
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
        Timing::Over => {
            Check::fail("The window to execute is over: the proposal has expired. Propose again.")
        }
    }
}
