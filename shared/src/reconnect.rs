//! How long to wait before connecting again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);

/// Endless, doubling, jittered delays between attempts to connect: 200 ms to 10 s, each drawn from
/// the upper half, so that many programs do not come back in step.
#[derive(Debug)]
pub(crate) struct Reconnect {
    ceiling: Duration,
}

impl Reconnect {
    pub(crate) const fn new() -> Self {
        Self { ceiling: FIRST }
    }

    /// The next delay.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let delay = rand::random_range(self.ceiling / 2..=self.ceiling);
        self.ceiling = (self.ceiling * 2).min(LONGEST);
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
    fn delays_grow_to_ten_seconds_and_no_further() {
        let mut reconnect = Reconnect::new();
        let mut ceiling = FIRST;
        for _ in 0..50 {
            let delay = reconnect.next_delay();
            assert!(delay >= ceiling / 2 && delay <= ceiling);
            ceiling = (ceiling * 2).min(LONGEST);
        }
        assert_eq!(ceiling, LONGEST);
        reconnect.reset();
        assert!(reconnect.next_delay() <= FIRST);
    }
}
