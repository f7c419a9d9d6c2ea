//! The circuit breaker of a connector: an acquirer that is down is left alone, and asked now and then.
//!
//! It stands before approvals only. Finding out and reversing must go on: they end the storm.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Opens after so many failures in a row; then lets one call through every so often until one succeeds.
pub(crate) struct Breaker {
    failures_max: u32,
    probe_every: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    next_probe: Option<Instant>,
}

impl Breaker {
    pub(crate) const fn new(failures_max: u32, probe_every: Duration) -> Self {
        Self { failures_max, probe_every, state: Mutex::new(State { failures: 0, next_probe: None }) }
    }

    /// Whether a call may be made now. While open, one caller per `probe_every` may.
    pub(crate) fn lets_through(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.next_probe {
            None => true,
            Some(at) if now >= at => {
                state.next_probe = Some(now + self.probe_every);
                true
            }
            Some(_) => false,
        }
    }

    /// Says how a call went. A refusal of the acquirer is an answer, not a failure.
    pub(crate) fn heard(&self, answered: bool, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if answered {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.failures_max && state.next_probe.is_none() {
            state.next_probe = Some(now + self.probe_every);
            metrics::counter!("naru_worker_breaker_opened_total").increment(1);
            tracing::warn!(failures = state.failures, "the acquirer is left alone for a while");
        }
    }
}

#[cfg(test)]
mod tests {
    use naru_shared::clock::Clock as _;
    use naru_shared::system::System;

    use super::*;

    #[test]
    fn opens_after_failures_in_a_row_and_closes_with_one_answer() {
        let breaker = Breaker::new(3, Duration::from_secs(2));
        let now = System.monotonic();
        for _ in 0..2 {
            breaker.heard(false, now);
        }
        breaker.heard(true, now);
        for _ in 0..2 {
            breaker.heard(false, now);
            assert!(breaker.lets_through(now));
        }
        breaker.heard(false, now);
        assert!(!breaker.lets_through(now));
        let later = now + Duration::from_secs(2);
        assert!(breaker.lets_through(later), "one probe");
        assert!(!breaker.lets_through(later), "and no other beside it");
        breaker.heard(true, later);
        assert!(breaker.lets_through(later));
    }
}
