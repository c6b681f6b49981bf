//! Limits the calls to one node. All tasks share one token bucket. A "too many requests" from the
//! node pauses every task for as long as the node asks or, where it names no time, for a growing
//! backoff. After a pause the limiter is half open: one call a second, until one is answered.
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use crate::source::backoff::Backoff;

/// The longest pause that a node can ask for.
pub const MAX_PAUSE: Duration = Duration::from_secs(120);
/// Calls per second after a pause, until one is answered.
const HALF_OPEN_RATE: f64 = 1.0;

/// The rate limiter of one node.
#[derive(Debug)]
pub struct RateLimiter(Mutex<LimiterState>);

#[derive(Debug)]
struct LimiterState {
    /// Calls per second, and the burst size.
    rate: f64,
    tokens: f64,
    filled: Instant,
    closed_until: Option<Instant>,
    half_open: bool,
    /// Counts the pauses: tells the calls sent before a pause from those after it.
    closings: u64,
    backoff: Backoff,
}

/// The right to send one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    closings: u64,
}

impl RateLimiter {
    /// A limiter for `per_second` calls; a pause for which the node names no time lasts `cap` at
    /// most.
    #[must_use]
    pub fn new(per_second: u32, cap: Duration) -> Self {
        let rate = f64::from(per_second.max(1));
        Self(Mutex::new(LimiterState {
            rate,
            tokens: rate,
            filled: Instant::now(),
            closed_until: None,
            half_open: false,
            closings: 0,
            backoff: Backoff::with_cap(cap),
        }))
    }

    fn state(&self) -> MutexGuard<'_, LimiterState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a call may be sent.
    ///
    /// # Errors
    /// The rest of the pause, when that is longer than `max_wait`.
    pub async fn acquire(&self, max_wait: Duration) -> Result<Permit, Duration> {
        loop {
            let asked = {
                let mut state = self.state();
                let now = Instant::now();
                match state.closed_for(now) {
                    Some(wait) if wait > max_wait => return Err(wait),
                    Some(wait) => Err(wait),
                    None => state.take(now),
                }
            };
            match asked {
                Ok(permit) => return Ok(permit),
                // Timers count in milliseconds: a shorter wait would spin.
                Err(wait) => tokio::time::sleep(wait.max(Duration::from_millis(1))).await,
            }
        }
    }

    /// The call of `permit` was refused as one too many; `asked` is the pause that the node named.
    /// Returns the rest of the pause.
    pub fn limited(&self, permit: Permit, asked: Option<Duration>) -> Duration {
        let mut state = self.state();
        let now = Instant::now();
        // Calls that were under way together count as one refusal: the backoff grows once.
        if permit.closings == state.closings || state.closed_for(now).is_none() {
            state.closings = state.closings.saturating_add(1);
            let own = state.backoff.next(&mut rand::thread_rng());
            state.close(now, asked.unwrap_or(own));
        } else if let Some(asked) = asked {
            state.close(now, asked);
        }
        state.closed_for(now).unwrap_or_default()
    }

    /// The call of `permit` was answered, well or not.
    pub fn answered(&self, permit: Permit) {
        let mut state = self.state();
        // An answer to a call from before the pause does not prove that the node takes calls again.
        if permit.closings == state.closings {
            state.half_open = false;
            // Measured from the end of the pause: the pause itself was no stable time.
            if let Some(end) = state.closed_until {
                state.backoff.settle(end.into_std(), Instant::now().into_std());
            }
        }
    }
}

impl LimiterState {
    fn closed_for(&self, now: Instant) -> Option<Duration> {
        self.closed_until.map(|until| until.duration_since(now)).filter(|left| !left.is_zero())
    }

    fn close(&mut self, now: Instant, wait: Duration) {
        let until = now + wait.min(MAX_PAUSE);
        let until = self.closed_until.map_or(until, |already| already.max(until));
        self.closed_until = Some(until);
        (self.half_open, self.tokens, self.filled) = (true, HALF_OPEN_RATE, until);
    }

    fn take(&mut self, now: Instant) -> Result<Permit, Duration> {
        let rate = if self.half_open { HALF_OPEN_RATE } else { self.rate };
        let grown = now.saturating_duration_since(self.filled).as_secs_f64() * rate;
        (self.tokens, self.filled) = ((self.tokens + grown).min(rate), now.max(self.filled));
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            Ok(Permit { closings: self.closings })
        } else {
            Err(Duration::from_secs_f64((1.0 - self.tokens) / rate))
        }
    }
}

/// The pause that a `Retry-After` header asks for, as seconds or as a date; never more than
/// [`MAX_PAUSE`]. `None` when it is neither.
#[must_use]
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value)
            .ok()?
            .duration_since(now)
            // A date that has passed asks for no pause.
            .unwrap_or_default(),
    };
    Some(wait.min(MAX_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::backoff::STABLE_AFTER;

    const CAP: Duration = Duration::from_secs(60);
    const MAX_WAIT: Duration = Duration::from_secs(600);

    async fn permits_within(limiter: &RateLimiter, time: Duration) -> u32 {
        let end = Instant::now() + time;
        let mut n = 0;
        while let Ok(Ok(_)) = tokio::time::timeout_at(end, limiter.acquire(MAX_WAIT)).await {
            n += 1;
        }
        n
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_second_of_calls_and_then_the_rate_holds() {
        let limiter = RateLimiter::new(50, CAP);
        let n = permits_within(&limiter, Duration::from_secs(10)).await;
        assert!((540..=550).contains(&n), "{n}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_pauses_every_task_for_the_requested_time() {
        let limiter = RateLimiter::new(50, CAP);
        let (first, other) =
            (limiter.acquire(MAX_WAIT).await.unwrap(), limiter.acquire(MAX_WAIT).await.unwrap());
        let wait = limiter.limited(first, Some(Duration::from_secs(7)));
        assert_eq!(wait, Duration::from_secs(7));
        assert_eq!(limiter.acquire(Duration::from_secs(6)).await, Err(Duration::from_secs(7)));
        let before = Instant::now();
        // Sent before the pause: its answer does not end the pause.
        limiter.answered(other);
        limiter.acquire(MAX_WAIT).await.unwrap();
        assert!(before.elapsed() >= Duration::from_secs(7), "{:?}", before.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_refusals_count_once() {
        let limiter = RateLimiter::new(50, CAP);
        let mut permits = vec![];
        for _ in 0..20 {
            permits.push(limiter.acquire(MAX_WAIT).await.unwrap());
        }
        for permit in permits {
            assert!(limiter.limited(permit, None) <= Duration::from_millis(500));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_always_refuses_gets_few_calls() {
        let limiter = RateLimiter::new(50, CAP);
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_secs(600) {
            let permit = limiter.acquire(MAX_WAIT).await.unwrap();
            limiter.limited(permit, None);
            calls += 1;
        }
        // Ten minutes at pauses of half a minute in the mean, and the short ones at the beginning.
        assert!((10..=60).contains(&calls), "{calls}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_open_limiter_allows_one_call_per_second_until_an_answer() {
        let limiter = RateLimiter::new(50, CAP);
        let permit = limiter.acquire(MAX_WAIT).await.unwrap();
        limiter.limited(permit, Some(Duration::from_secs(5)));
        let n = permits_within(&limiter, Duration::from_millis(8_500)).await;
        assert!((3..=4).contains(&n), "{n}");
        let permit = limiter.acquire(MAX_WAIT).await.unwrap();
        limiter.answered(permit);
        let n = permits_within(&limiter, Duration::from_secs(1)).await;
        assert!(n >= 48, "{n}");
    }

    #[test]
    fn retry_after_is_parsed_as_seconds_or_date_and_capped() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let read = |value| retry_after(value, now).map(|d| d.as_secs());
        assert_eq!(read("7"), Some(7));
        assert_eq!(read(" 0 "), Some(0));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "it has passed");
        assert_eq!(read("Mon, 07 Nov 1994 08:49:37 GMT"), Some(120));
        assert_eq!(read("86400"), Some(120));
        assert_eq!(read("18446744073709551615"), Some(120));
        for nonsense in ["", "soon", "-5", "1.5"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_backoff_resets_only_after_a_stable_time() {
        let limiter = RateLimiter::new(50, CAP);
        for _ in 0..8 {
            let permit = limiter.acquire(MAX_WAIT).await.unwrap();
            limiter.limited(permit, None);
        }
        let permit = limiter.acquire(MAX_WAIT).await.unwrap();
        limiter.answered(permit);
        assert!(limiter.state().backoff.attempt() >= 8, "one answer is not enough");
        tokio::time::advance(STABLE_AFTER).await;
        let permit = limiter.acquire(MAX_WAIT).await.unwrap();
        limiter.answered(permit);
        assert_eq!(limiter.state().backoff.attempt(), 0);
    }
}
