//! Times of many payments.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest time that is told apart, in microseconds: a minute.
const MICROS_MAX: u64 = 60_000_000;

/// Times with three digits of precision, in microseconds.
#[derive(Clone)]
pub(crate) struct Times(Option<Histogram<u64>>);

/// What is told of them, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Times {
    pub(crate) fn new() -> Self {
        // The bounds are constants that the histogram takes.
        Self(Histogram::new_with_bounds(1, MICROS_MAX, 3).ok())
    }

    pub(crate) fn note(&mut self, time: Duration) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(MICROS_MAX).max(1));
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if let (Some(all), Some(other)) = (&mut self.0, &other.0) {
            // Same bounds, so nothing can be out of range.
            let _ = all.add(other);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    pub(crate) fn summary(&self) -> Summary {
        let at = |quantile: f64| self.0.as_ref().map_or(0.0, |h| h.value_at_quantile(quantile) as f64 / 1_000.0);
        Summary { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) }
    }
}
