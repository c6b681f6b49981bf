//! Exponential backoff with full jitter under a doubling, capped ceiling, so that many clients of one
//! node do not retry at the same moment.
use std::time::{Duration, Instant};

use rand::Rng;

/// Ceiling of the first wait.
const FIRST_CEILING: Duration = Duration::from_millis(500);
/// Default cap of the ceiling.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// A connection that lasted this long resets the backoff.
pub const STABLE_AFTER: Duration = Duration::from_secs(30);

/// An exponential backoff.
#[derive(Clone, Debug)]
pub struct Backoff {
    attempt: u32,
    cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::with_cap(MAX_WAIT)
    }
}

impl Backoff {
    /// A backoff whose waits never exceed `cap`.
    #[must_use]
    pub fn with_cap(cap: Duration) -> Self {
        Self { attempt: 0, cap }
    }

    /// Failures in a row.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Counts a failure and returns the wait before the next attempt.
    pub fn next(&mut self, rng: &mut impl Rng) -> Duration {
        let ceiling = self.ceiling();
        self.attempt = self.attempt.saturating_add(1);
        ceiling.mul_f64(rng.gen_range(0.0..=1.0))
    }

    /// The longest that the next wait can be.
    #[must_use]
    pub fn ceiling(&self) -> Duration {
        let factor = 1u32.checked_shl(self.attempt).unwrap_or(u32::MAX);
        FIRST_CEILING.checked_mul(factor).unwrap_or(self.cap).min(self.cap)
    }

    /// Resets the backoff if a connection that began at `since` has lasted long enough by `now`. A
    /// connection that was dropped at once does not reset it, or a refusing node would be flooded.
    pub fn settle(&mut self, since: Instant, now: Instant) {
        if now.saturating_duration_since(since) >= STABLE_AFTER {
            self.attempt = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    proptest! {
        #[test]
        fn a_wait_never_leaves_its_ceiling_and_never_the_cap(seed in any::<u64>(), n in 1usize..200) {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut backoff = Backoff::default();
            for _ in 0..n {
                let ceiling = backoff.ceiling();
                let wait = backoff.next(&mut rng);
                prop_assert!(wait <= ceiling && ceiling <= MAX_WAIT);
                prop_assert!(backoff.ceiling() >= ceiling);
            }
        }
    }

    #[test]
    fn only_a_stable_connection_resets_the_backoff() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            backoff.next(&mut rng);
        }
        let now = Instant::now();
        backoff.settle(now, now + STABLE_AFTER - Duration::from_millis(1));
        assert_eq!(backoff.ceiling(), MAX_WAIT);
        backoff.settle(now, now + STABLE_AFTER);
        assert_eq!(backoff.ceiling(), FIRST_CEILING);
        assert_eq!(backoff.attempt(), 0);
    }
}
