//! The log of a payment has no holes, whoever writes to it at once.

use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::operation::OperationStatus;
use naru_shared::store::{Advance, Clock, Store};

use crate::house::{House, TRACE, options};

#[tokio::test]
async fn sixty_four_writers_leave_no_hole() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let store = Store::new(&house.url, &options(32)).unwrap();
    let writer = async || {
        loop {
            let payment = store.payments(&[sold.payment]).await.unwrap().pop().unwrap();
            let mut work = sold.work();
            work.status = OperationStatus::Waiting;
            work.attempt = i32::try_from(payment.version).unwrap();
            let event = PaymentEvent::RetryScheduled { work, reversed: false };
            let next = payment.state.on(&event).unwrap();
            let change = Advance {
                payment: &payment,
                next: &next,
                event: &event,
                clock: Clock::InTime,
                operation: None,
                key: None,
                trace_id: TRACE,
            };
            if store.advance_payment(&change).await.unwrap().is_some() {
                return;
            }
        }
    };
    futures::future::join_all((0..64).map(|_| writer())).await;
    let events = store.events_after(sold.payment, 0, 1_000).await.unwrap();
    let versions: Vec<i64> = events.iter().map(|event| event.version).collect();
    assert_eq!(versions, (1..=65).collect::<Vec<i64>>());
    // Each writer's event tells what that writer read, so none was written over.
    for event in &events[1..] {
        assert_eq!(i64::from(event.state.work().unwrap().attempt), event.version - 1);
    }
    let split = "select count(*) from payments p join payment_events e on e.payment_id = p.id and e.version = p.version
        where p.xmin::text <> e.tx::text or p.state <> e.state";
    assert_eq!(house.ask(split).await, "0", "state and event were committed together");
    store.close().await;
    house.leave().await;
}
