//! How long to wait before connecting again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);

/// Endless, doubling, jittered delays between attempts to connect, from 200 ms on, each drawn from the upper half, so that
/// many programs do not come back in step.
#[derive(Debug)]
pub(crate) struct Reconnect {
    ceiling: Duration,
    longest: Duration,
}

impl Reconnect {
    /// Delays that grow to `longest`.
    pub(crate) const fn up_to(longest: Duration) -> Self {
        Self { ceiling: FIRST, longest }
    }

    /// The next delay.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let delay = rand::random_range(self.ceiling / 2..=self.ceiling);
        self.ceiling = (self.ceiling * 2).min(self.longest);
        delay
    }

    /// What was connected worked: start from the shortest delay again.
    pub(crate) const fn reset(&mut self) {
        self.ceiling = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_longest_and_no_further() {
        let longest = Duration::from_secs(10);
        let mut reconnect = Reconnect::up_to(longest);
        let mut ceiling = FIRST;
        for _ in 0..50 {
            let delay = reconnect.next_delay();
            assert!(delay >= ceiling / 2 && delay <= ceiling);
            ceiling = (ceiling * 2).min(longest);
        }
        assert_eq!(ceiling, longest);
        reconnect.reset();
        assert!(reconnect.next_delay() <= FIRST);
    }
}
