//! Waiting for something, never for a time.

use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::system::System;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Looks again and again until `look` finds something, and returns it.
///
/// # Panics
/// After `patience`, naming `what` was waited for.
pub async fn eventually<T>(what: &str, patience: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = System.monotonic() + patience;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(System.monotonic() < deadline, "waited {patience:?} in vain: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What `future` comes to, if it does so in time.
///
/// # Panics
/// After `patience`, naming `what` was waited for.
pub async fn within<T>(what: &str, patience: Duration, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(patience, future).await {
        Ok(done) => done,
        Err(_) => panic!("waited {patience:?} in vain: {what}"),
    }
}
