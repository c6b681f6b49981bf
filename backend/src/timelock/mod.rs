//! When a proposal can be executed: the chain's rules at the chain's time. The operator's wall clock decides
//! nothing.
use upgrade_manager::state::{MultisigConfig, Votable};

use crate::{
    chain::read::ChainTime,
    pipeline::timing::{self, Timing},
};

/// Tells where a proposal stands between approval and expiry.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimelockManager;

impl TimelockManager {
    /// Where `proposal` stands at `now`, which must be the chain's time.
    #[must_use]
    pub fn timing(
        &self,
        proposal: &impl Votable,
        config: &MultisigConfig,
        now: ChainTime,
    ) -> Timing {
        timing::timing(proposal, config, now)
    }
}
