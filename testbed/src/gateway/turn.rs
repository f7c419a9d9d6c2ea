//! How many gateways there may be at once, so that tests beside each other don't starve.

use naru_servers::handles_max;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Gateways at once. Each has four busy programs and mostly waits; two cores carry so many.
const AT_ONCE: usize = 4;

/// How many file handles one test may use, for the crowds that it is: what the process may have, divided among the gateways
/// there may be at once.
#[must_use]
pub fn share_of_handles() -> usize {
    handles_max().map_or(usize::MAX, |most| most / AT_ONCE)
}

/// The right to have a gateway, until it is dropped.
pub(super) struct Turn(#[expect(dead_code, reason = "held, not used")] SemaphorePermit<'static>);

impl Turn {
    pub(super) async fn wait() -> Self {
        static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
        Self(TURNS.acquire().await.expect("nobody closes it"))
    }
}
