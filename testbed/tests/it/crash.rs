//! A worker that dies, freezes or loses Postgres at any boundary: the payment settles, and the payer is charged once.

use std::time::{Duration, Instant};

use naru_testbed::{Accepted, Builder, Gateway, Link, Payment, Who};

/// From the kill on, with another worker alive and a card company that dedupes.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(10);

/// A gateway with one worker that takes what comes and one that waits for its turn, frozen until the first has it.
async fn two_workers(with: Builder) -> Gateway {
    with.apis(0).workers(2).start().await
}
