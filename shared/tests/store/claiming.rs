//! Claiming: who gets a row, and what is said of it.

use std::collections::HashSet;

use naru_shared::domain::attempt::{AnswerWord, Because, Call};
use naru_shared::domain::course::Step;
use naru_shared::domain::id::{AttemptId, OperationId, WorkerId};
use naru_shared::domain::operation::{CRASH_BUDGET, OperationKind, OperationStatus};
use naru_shared::store::{Begun, NewAttempt, Wanted};
use uuid::Uuid;

use crate::house::{House, MANNERS, Sold, approved, outcome, two_seconds, unknown, wanted};

#[tokio::test]
async fn twenty_that_come_at_once_have_one_winner() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let mut workers = Vec::new();
    for _ in 0..20 {
        workers.push(house.another_worker().await);
    }
    let claims = workers.iter().map(|worker| house.claims(*worker, sold.operation));
    let winners: Vec<_> = futures::future::join_all(claims).await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let claimed = winners.first().unwrap();
    assert_eq!((claimed.operation.fence, claimed.operation.claim_count), (1, 1));
    assert_eq!(claimed.operation.status, OperationStatus::Processing);
    assert_eq!(claimed.open, []);
    let fresh = claimed.fresh.as_ref().unwrap();
    let written = house.store.attempts_of(sold.operation).await.unwrap();
    assert_eq!(written.len(), 1, "one attempt is written down");
    assert_eq!(written[0].reference, fresh.reference.0);
    house.leave().await;
}

#[tokio::test]
async fn several_are_claimed_by_one_statement() {
    let house = House::enter().await;
    let mut sold = HashSet::new();
    for _ in 0..10 {
        sold.insert(house.sells().await.operation);
    }
    let wanted: Vec<Wanted> = sold.iter().map(|operation| wanted(*operation)).collect();
    let claims = house.store.claim(house.worker, &wanted, MANNERS).await.unwrap();
    assert_eq!(claims.iter().map(|(claimed, _)| claimed.operation.id).collect::<HashSet<_>>(), sold);
    assert!(
        claims.iter().all(|(claimed, _)| claimed.payment.id == claimed.operation.payment && claimed.fresh.is_some())
    );
    assert_eq!(house.ask("select count(distinct xmin::text) from attempts").await, "1", "one transaction");
    house.leave().await;
}

#[tokio::test]
async fn what_is_not_due_waits_and_a_hint_may_be_a_little_early() {
    let house = House::enter().await;
    let sold = house.sells().await;
    house.run("update operations set due_at = now() + interval '2 seconds'").await;
    let early = |early_ms| Wanted { early_ms, ..wanted(sold.operation) };
    assert_eq!(house.store.claim(house.worker, &[early(250)], MANNERS).await.unwrap(), []);
    assert_eq!(house.store.claim(house.worker, &[early(2_500)], MANNERS).await.unwrap().len(), 1);
    house.leave().await;
}

/// Queues a second operation on a payment: the reversal of some reference.
async fn also_reverses(house: &House, sold: Sold) -> OperationId {
    let id = OperationId(Uuid::now_v7());
    house
        .run(format!(
            "insert into operations (id, payment_id, number, kind, connector, amount, target_reference, deadline_at, trace_parent)
            values ('{id}', '{}', 2, 'net_cancel', 'card', 15000, 'NRold', now(), 'x')",
            sold.payment
        ))
        .await;
    id
}

#[tokio::test]
async fn one_operation_of_a_payment_at_a_time_and_the_lowest_first() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let second = also_reverses(&house, sold).await;
    assert!(house.claims(house.worker, second).await.is_none(), "the first is not settled");
    let claimed = house.claims(house.worker, sold.operation).await.unwrap();
    assert!(house.claims(house.worker, second).await.is_none(), "the first is under way");
    let next = house.store.record_batch(&[outcome(&claimed, &approved())]).await.unwrap();
    assert_eq!(next.iter().map(|hint| hint.operation).collect::<Vec<_>>(), [second], "now it is its turn");
    let claimed = house.claims(house.worker, second).await.unwrap();
    assert_eq!(claimed.operation.kind, OperationKind::NetCancel);
    assert_eq!(claimed.fresh, None, "a net-cancel writes its own call down");
    house.leave().await;
}

#[tokio::test]
async fn the_dead_are_followed_and_the_living_only_after_a_minute() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let first = house.claims(house.worker, sold.operation).await.unwrap();
    let other = house.another_worker().await;
    assert!(house.claims(other, sold.operation).await.is_none(), "its owner lives");

    house.store.end_lease(house.worker).await.unwrap();
    let second = house.claims(other, sold.operation).await.unwrap();
    assert_eq!(second.operation.fence, 2);
    assert_eq!(second.fresh, None, "nothing new is written down while something is open");
    assert_eq!(second.open.iter().map(|open| open.id).collect::<Vec<_>>(), [first.fresh.unwrap().id]);

    let third = house.another_worker().await;
    assert!(house.claims(third, sold.operation).await.is_none(), "its owner lives");
    house.run("update operations set claimed_at = now() - interval '61 seconds'").await;
    assert_eq!(house.claims(third, sold.operation).await.unwrap().operation.fence, 3);
    house.leave().await;
}

#[tokio::test]
async fn a_worker_whose_lease_is_out_gets_nothing() {
    let house = House::enter().await;
    let sold = house.sells().await;
    house.store.end_lease(house.worker).await.unwrap();
    assert!(house.claims(house.worker, sold.operation).await.is_none());
    assert!(house.claims(WorkerId(Uuid::now_v7()), sold.operation).await.is_none(), "nor one that never had any");
    house.leave().await;
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_claimed_again_and_begins_with_an_inquiry() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let lost = wanted(sold.operation);
    house.store.claim(house.worker, &[lost], MANNERS).await.unwrap();
    assert_eq!(house.store.claim(house.worker, &[lost], MANNERS).await.unwrap(), []);
    let again = Wanted { again: true, ..lost };
    let (claimed, now) = house.store.claim(house.worker, &[again], MANNERS).await.unwrap().pop().unwrap();
    assert_eq!(claimed.open.iter().map(|open| open.id).collect::<Vec<_>>(), [lost.attempt]);
    assert!(matches!(claimed.first_step(now, &mut two_seconds), Step::Inquire { .. }));
    let other = house.another_worker().await;
    assert_eq!(house.store.claim(other, &[again], MANNERS).await.unwrap(), [], "only one's own");
    house.leave().await;
}

#[tokio::test]
async fn past_the_deadline_or_the_crash_budget_nothing_is_written_down() {
    let house = House::enter().await;
    for change in ["deadline_at = now()".to_owned(), format!("claim_count = {CRASH_BUDGET}")] {
        let sold = house.sells().await;
        house.run(format!("update operations set {change} where id = '{}'", sold.operation)).await;
        let claimed = house.claims(house.worker, sold.operation).await.unwrap();
        assert_eq!((claimed.fresh, claimed.open), (None, vec![]), "{change}");
        assert!(house.store.attempts_of(sold.operation).await.unwrap().is_empty(), "{change}");
    }
    house.leave().await;
}

#[tokio::test]
async fn a_call_is_written_down_only_while_the_claim_holds_and_condemns_its_reference() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let claimed = house.claims(house.worker, sold.operation).await.unwrap();
    let reference = claimed.fresh.as_ref().unwrap().reference.clone();
    let call = |fence| NewAttempt {
        id: AttemptId(Uuid::now_v7()),
        operation: sold.operation,
        fence,
        worker: house.worker,
        call: Call::NetCancel,
        reference: &reference,
        because: Some(Because::WrongAmount),
    };
    assert_eq!(house.store.begin_attempt(&call(0)).await.unwrap(), None);
    assert_eq!(house.store.begin_attempt(&call(2)).await.unwrap(), None);
    let written = call(1);
    let sent_at = claimed.fresh.as_ref().map(|fresh| fresh.sent_at);
    assert_eq!(house.store.begin_attempt(&written).await.unwrap(), Some(Begun { condemned: None, sent_at }));
    let twice = house.store.begin_attempt(&written).await.unwrap_err();
    assert!(twice.is_constraint("attempts_pkey"), "{twice}");

    // Whoever comes next knows that it is not wanted any more, and why.
    house.store.record_batch(&[outcome(&claimed, &unknown())]).await.unwrap();
    house.run("update operations set due_at = now()").await;
    let next = house.claims(house.worker, sold.operation).await.unwrap();
    assert_eq!(next.open[0].condemned, Some(Because::WrongAmount));
    assert_eq!(next.payment.version, 2);
    let word: String =
        sqlx::query_scalar("select answer from attempts where call = 'approve'").fetch_one(&house.sql).await.unwrap();
    assert_eq!(AnswerWord::parse(&word), Some(AnswerWord::Unknown));

    // And learns it again from each call that it makes, with what came since: what it knew may have been old.
    let resent = NewAttempt { call: Call::Approve, because: None, ..call(2) };
    assert!(house.store.begin_attempt(&resent).await.unwrap().is_some());
    house.run("update attempts set sent_at = now() + interval '3 seconds' where fence = 2").await;
    let inquiry = NewAttempt { id: AttemptId(Uuid::now_v7()), call: Call::Inquire, ..resent };
    let begun = house.store.begin_attempt(&inquiry).await.unwrap().unwrap();
    assert_eq!(begun.condemned, Some(Because::WrongAmount));
    assert!(begun.sent_at > sent_at.map(|sent_at| sent_at + time::Duration::seconds(2)), "{begun:?}");
    house.leave().await;
}

#[tokio::test]
async fn a_row_that_can_t_be_read_does_not_take_the_others_down() {
    let house = House::enter().await;
    let (bad, good) = (house.sells().await, house.sells().await);
    house.run(format!("update payments set state = state || '{{\"operation\":7}}' where id = '{}'", bad.payment)).await;
    let wanted = [wanted(bad.operation), wanted(good.operation)];
    let claims = house.store.claim(house.worker, &wanted, MANNERS).await.unwrap();
    assert_eq!(claims.iter().map(|(claimed, _)| claimed.operation.id).collect::<Vec<_>>(), [good.operation]);
    let error = house.store.payments(&[bad.payment]).await.unwrap_err().to_string();
    assert_eq!(error, format!("payments {}: state is not something we write", bad.payment));
    house.leave().await;
}
