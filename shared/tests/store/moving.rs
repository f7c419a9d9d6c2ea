//! Moving a payment on: compare-and-set on its version and its time limit, by the database's clock.

use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::{OperationId, PaymentId};
use naru_shared::domain::payment::{Payment, PaymentSource, PaymentState, PaymentStatus};
use naru_shared::store::{Advance, Advanced, Clock, Rearmed};
use uuid::Uuid;

use crate::house::{House, Sold, TRACE, card, key};

async fn ready(house: &House) -> Payment {
    let id = PaymentId(Uuid::now_v7());
    let order = format!("order-{}", id.0.simple());
    house.create(id, &order, PaymentSource::Checkout, &PaymentState::ready(), None, None).await.unwrap();
    house.payment(id).await
}

async fn moves(house: &House, payment: &Payment, event: &PaymentEvent, clock: Clock) -> Option<Advanced> {
    let next = payment.state.on(event).unwrap();
    let change = Advance { payment, next: &next, event, clock, operation: None, key: None, trace_id: TRACE };
    house.store.advance_payment(&change).await.unwrap()
}

#[tokio::test]
async fn must_not_18_overwrite_what_somebody_else_wrote() {
    let house = House::enter().await;
    let payment = ready(&house).await;
    let authenticated = PaymentEvent::Authenticated { instrument: card() };
    assert!(moves(&house, &payment, &PaymentEvent::Expired, Clock::Over).await.is_none(), "its time is not over");
    assert_eq!(moves(&house, &payment, &authenticated, Clock::InTime).await.unwrap().version, 2);
    assert!(moves(&house, &payment, &authenticated, Clock::InTime).await.is_none(), "it moved on");

    house.run("update payments set expires_at = now()").await;
    let payment = house.payment(payment.id).await;
    assert!(moves(&house, &payment, &PaymentEvent::PayerCanceled, Clock::InTime).await.is_none(), "too late");
    assert_eq!(moves(&house, &payment, &PaymentEvent::Expired, Clock::Over).await.unwrap().version, 3);
    assert_eq!(house.payment(payment.id).await.state.status(), PaymentStatus::Expired);
    let kinds = "select string_agg(type, ' ' order by version) from payment_events";
    assert_eq!(house.ask(kinds).await, "payment.created payment.authenticated payment.expired");
    house.leave().await;
}

#[tokio::test]
async fn a_new_status_brings_its_own_limit() {
    let house = House::enter().await;
    let left = "select round(extract(epoch from expires_at - now()) / 60) from payments";
    let payment = ready(&house).await;
    assert_eq!(house.ask(left).await, "30");
    moves(&house, &payment, &PaymentEvent::Authenticated { instrument: card() }, Clock::InTime).await.unwrap();
    assert_eq!(house.ask(left).await, "10");
    house.leave().await;
}

#[tokio::test]
async fn eight_that_confirm_at_once_have_one_operation() {
    let house = House::enter().await;
    let payment = ready(&house).await;
    moves(&house, &payment, &PaymentEvent::Authenticated { instrument: card() }, Clock::InTime).await.unwrap();
    let payment = house.payment(payment.id).await;
    let confirm = async |name: String| {
        let sold = Sold { payment: payment.id, operation: OperationId(Uuid::now_v7()) };
        let event = PaymentEvent::ApprovalQueued { work: sold.work() };
        let next = payment.state.on(&event).unwrap();
        let change = Advance {
            payment: &payment,
            next: &next,
            event: &event,
            clock: Clock::InTime,
            operation: Some(sold.new_operation()),
            key: Some(&key(&name)),
            trace_id: TRACE,
        };
        house.store.advance_payment(&change).await.unwrap()
    };
    let confirms = futures::future::join_all((0..8).map(|n| confirm(format!("k{n}")))).await;
    assert_eq!(confirms.iter().flatten().count(), 1);
    assert_eq!(house.ask("select count(*) from operations").await, "1");
    assert_eq!(house.ask("select count(*) from idempotency_keys").await, "1", "who lost leaves no key");
    assert_eq!(house.payment(payment.id).await.operation_count, 1);
    house.leave().await;
}

#[tokio::test]
async fn what_has_work_does_not_expire() {
    let house = House::enter().await;
    let (idle, sold) = (ready(&house).await, house.sells().await);
    house.run("update payments set expires_at = now() - interval '1 second'").await;
    let expired: Vec<_> = house.store.payments_to_expire(10).await.unwrap().iter().map(|p| p.id).collect();
    assert_eq!(expired, [idle.id]);
    assert!(house.payment(sold.payment).await.state.on(&PaymentEvent::Expired).is_err());
    house.leave().await;
}

#[tokio::test]
async fn a_dead_operation_goes_back_to_work_only_if_its_payment_takes_it() {
    let house = House::enter().await;
    let bury = async |sold: Sold| {
        house
            .run(format!(
                "update operations set claim_count = 5, deadline_at = now() + interval '1 hour' where id = '{}'",
                sold.operation
            ))
            .await;
        let claimed = house.claims(house.worker, sold.operation).await.unwrap();
        let now = claimed.operation.created_at;
        let decision = crate::house::decision(claimed.first_step(now, &mut crate::house::two_seconds));
        let outcome = naru_shared::store::Outcome::new(&claimed, decision, None, TRACE.into());
        house.store.record_batch(&[outcome]).await.unwrap();
    };
    let sold = house.sells().await;
    bury(sold).await;
    assert_eq!(house.ask("select status || ' ' || letter from operations").await, "dead replayable");
    assert_eq!(house.store.rearm(sold.operation, TRACE).await.unwrap(), Rearmed::Yes);
    assert_eq!(house.store.rearm(sold.operation, TRACE).await.unwrap(), Rearmed::NothingToDo, "it is at work");
    assert_eq!(house.ask("select status || ' ' || claim_count from operations").await, "queued 0");
    let claimed = house.claims(house.worker, sold.operation).await.unwrap();
    assert!(claimed.fresh.is_some(), "with a fresh crash budget");

    // One whose payment ended meanwhile would be paid for nothing.
    let ended = house.sells().await;
    bury(ended).await;
    house.run(format!("update payments set expires_at = now() where id = '{}'", ended.payment)).await;
    let payment = house.payment(ended.payment).await;
    moves(&house, &payment, &PaymentEvent::Expired, Clock::Over).await.unwrap();
    assert_eq!(house.store.rearm(ended.operation, TRACE).await.unwrap(), Rearmed::NothingToDo);
    assert!(house.claims(house.worker, ended.operation).await.is_none());
    assert_eq!(house.store.rearm(OperationId(Uuid::now_v7()), TRACE).await.unwrap(), Rearmed::NothingToDo);
    house.leave().await;
}
