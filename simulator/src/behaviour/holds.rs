//! Holds: requests parked until a test says go, so that tests wait for signals instead of time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

/// The holds, by name. A hold that is released stays open.
#[derive(Debug, Default)]
pub struct Holds(Mutex<HashMap<String, Arc<watch::Sender<Held>>>>);

/// A hold as a test sees it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Requests parked now.
    pub parked: u32,
    /// Requests that ever came by.
    pub arrived: u32,
    /// Whether requests pass.
    pub released: bool,
}

impl Holds {
    /// Parks the caller until the hold is released.
    pub async fn park(&self, id: &str) {
        let hold = self.named(id);
        hold.send_modify(|held| {
            held.parked += 1;
            held.arrived += 1;
        });
        let _leaves = Leaves(&hold);
        // The sender is ours, so the channel can't close.
        let _ = hold.subscribe().wait_for(|held| held.released).await;
    }

    /// Lets everything parked go on, and everything that comes later pass. Says what was parked.
    pub fn release(&self, id: &str) -> Held {
        let hold = self.named(id);
        let held = *hold.borrow();
        hold.send_modify(|held| held.released = true);
        Held { released: true, ..held }
    }

    /// Waits, for `patience` at most, until something is parked or the hold is released.
    pub async fn watch(&self, id: &str, patience: Duration) -> Held {
        let hold = self.named(id);
        let mut seen = hold.subscribe();
        let noticed = tokio::time::timeout(patience, seen.wait_for(|held| held.parked > 0 || held.released)).await;
        match noticed {
            Ok(Ok(held)) => *held,
            Ok(Err(_)) | Err(_) => *hold.borrow(),
        }
    }

    fn named(&self, id: &str) -> Arc<watch::Sender<Held>> {
        let mut holds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(holds.entry(id.to_owned()).or_insert_with(|| Arc::new(watch::Sender::default())))
    }
}

/// A parked request leaves, also when it is dropped.
struct Leaves<'a>(&'a watch::Sender<Held>);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|held| held.parked -= 1);
    }
}
