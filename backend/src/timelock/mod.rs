//! When a proposal can be executed: the answer of the chain's rules at the chain's time. The operator's
//! clock decides nothing.
use upgrade_manager::state::{Course, MultisigConfig};

use crate::{
    chain::read::ChainTime,
    pipeline::timing::{self, Timing},
};

/// Answers what time it is for a proposal.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimelockManager;

impl TimelockManager {
    /// Where `proposal` stands at `now`.
    #[must_use]
    pub fn timing(
        &self,
        proposal: &impl Course,
        config: &MultisigConfig,
        now: ChainTime,
    ) -> Timing {
        timing::timing(proposal, config, now)
    }
}
