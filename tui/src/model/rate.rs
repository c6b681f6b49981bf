//! The speed of a job over the last half minute, and from it the time left. Pure.
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Older samples are dropped.
const RATE_WINDOW: Duration = Duration::from_secs(30);
/// Most samples kept.
const MAX_SAMPLES: usize = 256;

/// Samples of work done.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Records that `done` items are done at `now`; a smaller number starts over.
    pub fn record(&mut self, now: Instant, done: u64) {
        if self.samples.back().is_some_and(|(_, last)| *last > done) {
            self.samples.clear();
        }
        self.samples.push_back((now, done));
        while self.samples.len() > MAX_SAMPLES
            || (self.samples.len() > 2
                && self.samples.front().is_some_and(|(t, _)| now.duration_since(*t) > RATE_WINDOW))
        {
            self.samples.pop_front();
        }
    }

    /// Since when the number of done items has not changed; `None` before the first sample.
    pub fn unchanged_since(&self) -> Option<Instant> {
        let (_, last) = self.samples.back()?;
        self.samples.iter().find(|(_, done)| done == last).map(|(at, _)| *at)
    }

    /// Items per second; `None` before two samples.
    pub fn per_second(&self) -> Option<f64> {
        let ((t0, n0), (t1, n1)) = (self.samples.front()?, self.samples.back()?);
        let seconds = t1.duration_since(*t0).as_secs_f64();
        let items = u32::try_from(n1.saturating_sub(*n0)).ok()?;
        (seconds > 0.0 && items > 0).then(|| f64::from(items) / seconds)
    }

    /// Estimated seconds for `left` more items.
    pub fn seconds_for(&self, left: u64) -> Option<i64> {
        let rate = self.per_second()?;
        let left = f64::from(u32::try_from(left).ok()?);
        let seconds = Duration::try_from_secs_f64(left / rate).ok()?;
        i64::try_from(seconds.as_secs()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_needs_two_samples_and_forgets_the_old() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut rate = Rate::default();
        rate.record(at(0), 0);
        assert_eq!(rate.per_second(), None);
        rate.record(at(10), 100);
        assert_eq!(rate.per_second(), Some(10.0));
        assert_eq!(rate.seconds_for(50), Some(5));
        rate.record(at(50), 140);
        assert_eq!(rate.per_second(), Some(1.0), "the first sample is too old to count");
        rate.record(at(51), 3);
        assert_eq!(rate.per_second(), None, "a smaller number starts over");
    }
}
