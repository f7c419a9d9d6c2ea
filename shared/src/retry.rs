//! When to try again: exponential backoff with full jitter.
//!
//! The one module that knows the `backoff` crate. It computes the interval of an attempt; the dice are thrown here,
//! because they are handed in.

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;
use rand::{Rng, RngExt};

/// How long to wait before each further attempt.
///
/// Attempt 1 waits up to `base`, attempt 2 up to twice that, and so on up to `cap`. "Up to" is full jitter: any delay
/// between [`RetrySchedule::FLOOR`] and the interval is as likely as any other, so that operations that failed
/// together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySchedule {
    /// The interval of the first retry.
    pub base: Duration,
    /// No interval is longer than this.
    pub cap: Duration,
}

impl RetrySchedule {
    /// No delay is shorter: a retry at once would meet the same trouble.
    pub const FLOOR: Duration = Duration::from_millis(50);

    /// What every operation uses: 500 ms, 1 s, 2 s … 512 s.
    pub const OPERATIONS: Self = Self { base: Duration::from_millis(500), cap: Duration::from_secs(512) };

    /// Each interval is this many times the one before.
    const FACTOR: f64 = 2.0;

    /// The longest that attempt `attempt` (counted from 1) may wait. Never falls as attempts grow.
    #[must_use]
    pub fn interval(&self, attempt: u32) -> Duration {
        let mut backoff = ExponentialBackoffBuilder::new()
            .with_initial_interval(self.base)
            .with_multiplier(Self::FACTOR)
            .with_randomization_factor(0.0)
            .with_max_interval(self.cap)
            .with_max_elapsed_time(None)
            .build();
        for _ in 1..attempt {
            if backoff.current_interval >= self.cap {
                break;
            }
            backoff.next_backoff();
        }
        backoff.current_interval.min(self.cap)
    }

    /// The delay before the attempt that follows attempt `attempt` (counted from 1), in whole milliseconds:
    /// uniform between [`RetrySchedule::FLOOR`] and [`RetrySchedule::interval`].
    pub fn delay(&self, attempt: u32, dice: &mut (impl Rng + ?Sized)) -> Duration {
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let longest = millis(self.interval(attempt));
        let shortest = millis(Self::FLOOR).min(longest);
        Duration::from_millis(dice.random_range(shortest..=longest))
    }
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self::OPERATIONS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const SCHEDULE: RetrySchedule = RetrySchedule::OPERATIONS;

    #[test]
    fn intervals_double_up_to_the_cap() {
        let table = [
            // attempt, interval in ms
            (0, 500),
            (1, 500),
            (2, 1_000),
            (3, 2_000),
            (4, 4_000),
            (5, 8_000),
            (6, 16_000),
            (7, 32_000),
            (8, 64_000),
            (9, 128_000),
            (10, 256_000),
            (11, 512_000),
            (12, 512_000),
            (1_000, 512_000),
            (u32::MAX, 512_000),
        ];
        for (attempt, interval) in table {
            assert_eq!(SCHEDULE.interval(attempt), Duration::from_millis(interval), "attempt {attempt}");
        }
    }

    #[test]
    fn a_herd_is_spread_over_the_whole_interval() {
        let mut dice = StdRng::seed_from_u64(7);
        let attempt = 6; // up to 16 s
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            let delay = SCHEDULE.delay(attempt, &mut dice);
            let tenth = (delay.as_millis() * 10 / 16_001) as usize;
            tenths[tenth] += 1;
        }
        for (tenth, count) in tenths.into_iter().enumerate() {
            assert!((850..=1_150).contains(&count), "tenth {tenth} has {count} of 10000");
        }
    }

    #[test]
    fn the_same_dice_give_the_same_delays() {
        let delays = |seed| {
            let mut dice = StdRng::seed_from_u64(seed);
            (1..20).map(|attempt| SCHEDULE.delay(attempt, &mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
    }

    proptest! {
        #[test]
        fn every_delay_is_within_its_bounds(attempt in any::<u32>(), seed in any::<u64>()) {
            let delay = SCHEDULE.delay(attempt, &mut StdRng::seed_from_u64(seed));
            prop_assert!(delay >= RetrySchedule::FLOOR);
            prop_assert!(delay <= SCHEDULE.interval(attempt));
        }

        #[test]
        fn intervals_never_fall(attempt in 0..u32::MAX) {
            prop_assert!(SCHEDULE.interval(attempt) <= SCHEDULE.interval(attempt + 1));
        }

        #[test]
        fn a_schedule_shorter_than_the_floor_still_works(base in 1_u64..50, attempt in 1_u32..40, seed in any::<u64>()) {
            let short = RetrySchedule { base: Duration::from_millis(base), cap: Duration::from_millis(50) };
            let delay = short.delay(attempt, &mut StdRng::seed_from_u64(seed));
            prop_assert!(delay <= Duration::from_millis(50));
        }
    }
}
