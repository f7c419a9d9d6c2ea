//! A hint that is due later comes when it is due.

use std::time::Duration;

use naru_shared::broker::{Hint, Outgoing, ladder};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::house::{House, PAY, consume, next};

/// What the machine and the broker may add: an expiry is noticed some 20 ms late, three times.
const SLACK: Duration = Duration::from_millis(400);

#[tokio::test]
async fn hints_wait_until_they_are_due_however_often_that_takes() {
    let house = House::enter().await;
    let broker = house.connected().await;
    let mut deliveries = consume(&broker, &PAY.name(), 16).await;
    let start = OffsetDateTime::UNIX_EPOCH;
    let began = std::time::Instant::now();
    let delays_ms: [u32; 8] = [0, 100, 300, 700, 1_500, 2_300, 3_600, 6_900];
    let hints = delays_ms.map(|ms| Hint {
        operation: Uuid::from_u128(u128::from(ms)),
        attempt: 1,
        due_at: start + Duration::from_millis(ms.into()),
        waited: 0,
    });
    let batch = hints.iter().map(|hint| Outgoing::due(PAY, hint, start).unwrap()).collect();
    assert!(broker.publisher().publish(batch).await.iter().all(Result::is_ok));

    let mut left = delays_ms.len();
    while left > 0 {
        let delivery = next(&mut deliveries).await;
        let (hint, now) = (delivery.hint().unwrap(), start + began.elapsed());
        if ladder::is_on_time(hint.due_at, now, hint.waited) {
            let (delay, off) = (hint.due_at - start, now - hint.due_at);
            let allowed = time::Duration::milliseconds(250).max(delay / 10) + SLACK;
            assert!(off.abs() <= allowed, "due after {delay}, off by {off}");
            assert!(hint.waited <= ladder::HOPS_MAX);
            left -= 1;
        } else {
            let again = Outgoing::due(PAY, &hint, now).unwrap();
            assert_eq!(broker.publisher().publish(vec![again]).await, [Ok(())]);
        }
        delivery.done();
    }
}
