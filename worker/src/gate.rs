//! The circuit breaker of a connector in one mode: an acquirer that is down is left alone, and asked now and then.
//!
//! It stands before approvals, changes of them, and looks at accounts. Finding out and reversing must go on: they end the storm.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use naru_shared::domain::id::Mode;
use naru_shared::domain::operation::Connector;

/// Opens after so many failures in a row; then lets one call through every so often until one succeeds.
pub(crate) struct Breaker {
    connector: Connector,
    mode: Mode,
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
    /// A closed one.
    pub(crate) fn new(connector: Connector, mode: Mode, failures_max: u32, probe_every: Duration) -> Self {
        let state = Mutex::new(State { failures: 0, next_probe: None });
        let breaker = Self { connector, mode, failures_max, probe_every, state };
        breaker.show(false);
        breaker
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
            if state.next_probe.is_some() {
                self.show(false);
                let (connector, mode) = (self.connector.as_str(), self.mode.as_str());
                tracing::info!(connector, mode, "the acquirer answers again");
            }
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.failures_max && state.next_probe.is_none() {
            state.next_probe = Some(now + self.probe_every);
            self.show(true);
            metrics::counter!("naru_worker_breaker_opened_total").increment(1);
            tracing::warn!(
                connector = self.connector.as_str(),
                mode = self.mode.as_str(),
                failures = state.failures,
                "the acquirer is left alone for a while"
            );
        }
    }

    fn show(&self, open: bool) {
        let (connector, mode) = (self.connector.as_str(), self.mode.as_str());
        metrics::gauge!("naru_worker_breaker_open", "connector" => connector, "mode" => mode).set(u8::from(open));
    }
}

#[cfg(test)]
mod tests {
    use naru_shared::clock::Clock as _;
    use naru_shared::system::System;

    use super::*;

    #[test]
    fn opens_after_failures_in_a_row_and_closes_with_one_answer() {
        let breaker = Breaker::new(Connector::Card, Mode::Test, 3, Duration::from_secs(2));
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

    #[test]
    fn whether_it_is_open_is_shown_from_the_start() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let shown = || {
            let text = recorder.handle().render();
            let of_cards = "naru_worker_breaker_open{connector=\"card\",mode=\"live\"} ";
            let open = text.lines().find_map(|line| line.strip_prefix(of_cards));
            open.map(str::to_owned)
        };
        metrics::with_local_recorder(&recorder, || {
            let breaker = Breaker::new(Connector::Card, Mode::Live, 1, Duration::from_secs(2));
            let now = System.monotonic();
            assert_eq!(shown().as_deref(), Some("0"));
            breaker.heard(false, now);
            assert_eq!(shown().as_deref(), Some("1"));
            assert!(breaker.lets_through(now + Duration::from_secs(2)));
            assert_eq!(shown().as_deref(), Some("1"), "a probe is not an answer");
            breaker.heard(true, now);
            assert_eq!(shown().as_deref(), Some("0"));
        });
    }
}
