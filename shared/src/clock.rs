//! Now, randomness and ids are handed in, so that logic can be tested at any time and with any dice.
//!
//! The only implementation that asks the machine is [`crate::system`].

use std::time::Instant;

use time::OffsetDateTime;
use uuid::Uuid;

/// Two clocks: the one on the wall, which may jump, and the one that only runs forward.
///
/// Deadlines that Postgres judges use the database's time, leases use [`Clock::monotonic`]; the wall clock is for
/// what people read.
pub trait Clock: Send + Sync + 'static {
    /// The time on the wall, in UTC. May jump in both directions.
    fn now(&self) -> OffsetDateTime;

    /// A time that never runs backward; only differences mean something.
    fn monotonic(&self) -> Instant;
}

/// Unpredictable bytes, good enough for keys.
pub trait Random: Send + Sync + 'static {
    /// Overwrites every byte of `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// `N` unpredictable bytes.
    fn bytes<const N: usize>(&self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// Names for new things.
pub trait Ids: Send + Sync + 'static {
    /// An id that sorts by the moment it was made (UUID version 7): for rows.
    fn ordered(&self) -> Uuid;

    /// An id nobody can guess and that tells no time (UUID version 4): for what outsiders hold.
    fn unguessable(&self) -> Uuid;
}
