//! The one place that asks the machine for the time, for dice and for its environment.
#![expect(
    clippy::disallowed_methods,
    reason = "everything else is handed a Clock, a Random, an Ids or a lookup made here"
)]

use std::time::{Instant, SystemTime};

use rand::rngs::SysRng;
use rand::{Rng, TryRng as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock::{Clock, Ids, Random};

/// The machine's clocks, dice and ids. Free to copy, holds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> OffsetDateTime {
        SystemTime::now().into()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

impl Random for System {
    fn fill(&self, bytes: &mut [u8]) {
        // Straight from the operating system: no state in this process from which a key could be told. Where it can't be
        // asked, a generator that was seeded from it, or none at all.
        if SysRng.try_fill_bytes(bytes).is_err() {
            rand::rng().fill_bytes(bytes);
        }
    }
}

impl Ids for System {
    fn ordered(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn unguessable(&self) -> Uuid {
        Uuid::new_v4()
    }
}

/// The machine's dice, for jitter.
pub fn dice() -> impl Rng {
    rand::rng()
}

/// Waits until somebody asks this program to stop: SIGTERM, or Ctrl-C.
pub async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}

/// What the process's environment says about `name`; nothing when it is unset, empty or not UTF-8.
///
/// Programs hand this to [`crate::config`] once, at start; nothing reads the environment later.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_and_ids_do_not_repeat() {
        assert_ne!(System.bytes::<16>(), System.bytes::<16>());
        assert_ne!(System.ordered(), System.ordered());
        assert_ne!(System.unguessable(), System.unguessable());
    }

    #[test]
    fn the_monotonic_clock_does_not_run_backward() {
        let before = System.monotonic();
        assert!(System.monotonic() >= before);
    }
}
