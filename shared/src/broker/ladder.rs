//! Where a hint waits until it is due.
//!
//! RabbitMQ expires messages only at the head of a queue, so a delay per message does not work:
//! a short one behind a long one comes out late. Instead there are queues of one fixed delay each,
//! doubling from 250 ms to 512 s, and an exact delay is made by waiting more than once: the hint
//! waits on the largest step that does not make it late, comes back, and waits for what is left.

use std::time::Duration;

use time::OffsetDateTime;

/// A hint this close to its due time is on time, early or late.
pub const TOLERANCE: Duration = Duration::from_millis(250);

/// How often a hint waits at most. After three waits what is left of any delay is less than a
/// tenth of it (a test tries them all), and a tenth is on time too.
pub const HOPS_MAX: u8 = 3;

/// How late the choice of a step may make a hint on purpose, beside a tenth of its delay: half the
/// smallest step, so that the broker's own lateness still fits in [`TOLERANCE`].
const LATE_MAX: Duration = Duration::from_millis(125);

/// One step of the ladder: a queue in which a message stays for a fixed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(u8);

impl Step {
    /// Every step, shortest first.
    pub const ALL: [Self; 12] =
        [Self(0), Self(1), Self(2), Self(3), Self(4), Self(5), Self(6), Self(7), Self(8), Self(9), Self(10), Self(11)];

    /// The longest step, and the longest delay the broker keeps.
    pub const LONGEST: Self = Self(11);

    /// How long a message stays: 250 ms doubled once per step.
    #[must_use]
    pub const fn delay(self) -> Duration {
        Duration::from_millis(250 << self.0)
    }

    /// The exchange, and the queue behind it, of this step.
    #[must_use]
    pub const fn exchange(self) -> &'static str {
        match self.0 {
            0 => "naru.wait.250ms",
            1 => "naru.wait.500ms",
            2 => "naru.wait.1s",
            3 => "naru.wait.2s",
            4 => "naru.wait.4s",
            5 => "naru.wait.8s",
            6 => "naru.wait.16s",
            7 => "naru.wait.32s",
            8 => "naru.wait.64s",
            9 => "naru.wait.128s",
            10 => "naru.wait.256s",
            _ => "naru.wait.512s",
        }
    }
}

/// What to do with a hint that is due after some delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It is due: publish it as work.
    Not,
    /// Let it wait here first.
    On(Step),
    /// Too long for the broker: it stays in Postgres and the sweeper sends it when it is time.
    InPostgres,
}

/// Where a hint that is due after `delay` goes: the largest step that makes it no later than a
/// tenth of the delay (or 125 ms, if that is more).
#[must_use]
pub fn step_for(delay: Duration) -> Wait {
    if delay > Step::LONGEST.delay() {
        return Wait::InPostgres;
    }
    let latest = delay + LATE_MAX.max(delay / 10);
    Step::ALL.into_iter().rev().find(|step| step.delay() <= latest).map_or(Wait::Not, Wait::On)
}

/// Whether a hint that arrives at `now` after `waited` hops is to be worked on. If not, it waits
/// again, for what is left until `due_at`.
#[must_use]
pub fn is_on_time(due_at: OffsetDateTime, now: OffsetDateTime, waited: u8) -> bool {
    waited >= HOPS_MAX || due_at - now <= TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_step_is_named_after_its_delay() {
        for step in Step::ALL {
            let name = step.exchange().strip_prefix("naru.wait.").unwrap();
            let named = match name.strip_suffix("ms") {
                Some(ms) => Duration::from_millis(ms.parse().unwrap()),
                None => Duration::from_secs(name.strip_suffix('s').unwrap().parse().unwrap()),
            };
            assert_eq!(step.delay(), named, "{name}");
        }
        assert!(Step::ALL.windows(2).all(|w| w[0].delay() * 2 == w[1].delay()));
        assert_eq!(Some(&Step::LONGEST), Step::ALL.last());
    }

    #[test]
    fn a_delay_goes_to_the_largest_step_that_is_not_late() {
        let step = |ms| step_for(Duration::from_millis(ms));
        let on = |name: &str| Wait::On(Step::ALL.into_iter().find(|s| s.exchange() == name).unwrap());
        assert_eq!(step(0), Wait::Not);
        assert_eq!(step(124), Wait::Not);
        assert_eq!(step(125), on("naru.wait.250ms"));
        assert_eq!(step(374), on("naru.wait.250ms"));
        assert_eq!(step(375), on("naru.wait.500ms"));
        assert_eq!(step(1_000), on("naru.wait.1s"));
        assert_eq!(step(1_800), on("naru.wait.1s"));
        assert_eq!(step(1_875), on("naru.wait.2s"));
        assert_eq!(step(512_000), on("naru.wait.512s"));
        assert_eq!(step(512_001), Wait::InPostgres);
        assert_eq!(step_for(Duration::MAX), Wait::InPostgres);
    }

    /// Walks a hint through the ladder with a perfect broker and says when it is worked on.
    fn worked_on_after(delay_ms: u64) -> (u64, u8) {
        let due_at = OffsetDateTime::UNIX_EPOCH + Duration::from_millis(delay_ms);
        let (mut now_ms, mut waited) = (0, 0);
        loop {
            let now = OffsetDateTime::UNIX_EPOCH + Duration::from_millis(now_ms);
            if is_on_time(due_at, now, waited) && waited > 0 {
                return (now_ms, waited);
            }
            match step_for(Duration::from_millis(delay_ms.saturating_sub(now_ms))) {
                Wait::Not => return (now_ms, waited),
                Wait::On(step) => now_ms += u64::try_from(step.delay().as_millis()).unwrap(),
                Wait::InPostgres => panic!("{delay_ms} ms went to Postgres"),
            }
            waited += 1;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn three_hops_bring_every_delay_within_a_tenth_or_250_ms(delay in 0u64..=512_000) {
            let (at, waited) = worked_on_after(delay);
            prop_assert!(waited <= HOPS_MAX);
            let off = at.abs_diff(delay);
            prop_assert!(off <= (delay / 10).max(250), "{delay} ms came after {at} ms");
        }
    }

    #[test]
    fn nothing_waits_a_fourth_time_however_early() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let due = now + Duration::from_secs(3_600);
        assert!(!is_on_time(due, now, 2));
        assert!(is_on_time(due, now, 3));
        assert!(is_on_time(due, now, u8::MAX));
        assert!(is_on_time(now - Duration::from_secs(5), now, 0));
    }
}
