//! Recording: many in one commit, or each on its own.

use naru_shared::domain::attempt::ApproveAnswer;
use naru_shared::domain::course::{Decision, Next};
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::operation::{OperationResult, OperationStatus};
use naru_shared::domain::payment::{MoneyState, PaymentStatus};
use naru_shared::store::{Late, Outcome, Recorded, StoreError};

use crate::house::{House, MANNERS, TRACE, approved, outcome, unknown, wanted};

#[tokio::test]
async fn many_payments_in_one_commit() {
    let house = House::enter().await;
    let mut wants = Vec::new();
    for _ in 0..40 {
        wants.push(wanted(house.sells().await.operation));
    }
    let claims = house.store.claim(house.worker, &wants, MANNERS).await.unwrap();
    let answers = [approved(), unknown(), ApproveAnswer::Busy("M1".into()), ApproveAnswer::NotSent("connect".into())];
    let outcomes: Vec<Outcome> =
        claims.iter().zip(answers.iter().cycle()).map(|((claimed, _), answer)| outcome(claimed, answer)).collect();
    assert_eq!(house.store.record_batch(&outcomes).await.unwrap(), []);
    for (outcome, (claimed, _)) in outcomes.iter().zip(&claims) {
        let payment = house.payment(outcome.payment).await;
        assert_eq!((payment.version, Some(&payment.state)), (2, outcome.state.as_ref()));
        let operation = house.store.operation(outcome.operation).await.unwrap().unwrap();
        assert_eq!(operation.status, outcome.decision.next.status());
        assert_eq!((operation.claim_count, operation.fence), (0, 1));
        let attempt = house.store.attempts_of(outcome.operation).await.unwrap().remove(0);
        assert_eq!(attempt.answer.as_deref(), outcome.answered.as_ref().map(|answered| answered.word.as_str()));
        let resolution = outcome.decision.resolved.as_ref().map(|(_, resolution)| resolution.as_str());
        assert_eq!(attempt.resolution.as_deref(), resolution);
        let events = house.store.events_after(claimed.payment.id, 1, 10).await.unwrap();
        assert_eq!((events.len(), events[0].version, events[0].trace_id.as_str()), (1, 2, TRACE));
        assert_eq!(Some(&events[0].state), outcome.state.as_ref());
        if let Next::Settled(result) = &outcome.decision.next {
            assert_eq!((operation.result.as_ref(), operation.result_version), (Some(result), Some(2)));
        }
    }
    let commits = "select count(distinct tx) from payment_events where version = 2";
    assert_eq!(house.ask(commits).await, "1");
    assert_eq!(house.ask("select count(*) from payments where status = 'DONE' and expires_at is null").await, "10");
    house.leave().await;
}

/// Everything that a batch could have changed.
async fn everything(house: &House) -> String {
    house
        .ask(
            "select md5(string_agg(line, '' order by line)) from (select p::text as line from payments p union all
            select o::text from operations o union all select a::text from attempts a union all
            select e::text from payment_events e) t",
        )
        .await
}

#[tokio::test]
async fn a_batch_that_disagrees_changes_nothing() {
    let house = House::enter().await;
    let (good, lost, moved) = (house.sells().await, house.sells().await, house.sells().await);
    let wants = [good, lost, moved].map(|sold| wanted(sold.operation));
    let claims = house.store.claim(house.worker, &wants, MANNERS).await.unwrap();
    let of = |sold: crate::house::Sold| {
        let (claimed, _) = claims.iter().find(|(claimed, _)| claimed.operation.id == sold.operation).unwrap();
        outcome(claimed, &approved())
    };
    // One of them is claimed by somebody else meanwhile; the payment of another moves on.
    house.store.end_lease(house.worker).await.unwrap();
    let other = house.another_worker().await;
    house.claims(other, lost.operation).await.unwrap();
    house
        .run(format!(
            "with p as (update payments set version = 2 where id = '{}' returning *)
            insert into payment_events (payment_id, version, class, type, state, trace_id)
            select id, 2, 'progress', 'test', state, '{TRACE}' from p",
            moved.payment
        ))
        .await;

    let before = everything(&house).await;
    let mut twice = of(good);
    twice.operation = of(lost).operation;
    let mut with_case = of(good);
    let reference = with_case.decision.resolved.as_ref().unwrap().0.clone();
    with_case.decision.case = Some((reference, naru_shared::domain::course::CaseKind::AmountMismatch));
    for (why, batch) in [
        ("two outcomes of one payment", vec![of(good), twice]),
        ("a claim that was lost", vec![of(good), of(lost)]),
        ("a payment that moved on", vec![of(good), of(moved)]),
        ("one that needs more than the statement", vec![with_case]),
    ] {
        let error = house.store.record_batch(&batch).await.expect_err(why);
        assert!(matches!(error, StoreError::BatchDisagrees), "{why}: {error:?}");
        assert_eq!(everything(&house).await, before, "{why}");
    }

    // One by one each finds its own end.
    assert!(matches!(house.store.record_one(&of(good)).await.unwrap(), Recorded::Stands { version: 2, .. }));
    assert_eq!(house.store.record_one(&of(lost)).await.unwrap(), Recorded::Refused { late: Late::Kept });
    assert!(matches!(house.store.record_one(&of(moved)).await.unwrap(), Recorded::Stands { version: 3, .. }));
    assert_eq!(house.payment(moved.payment).await.state.status(), PaymentStatus::Done);
    house.leave().await;
}

#[tokio::test]
async fn what_is_recorded_twice_stands_once() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let claimed = house.claims(house.worker, sold.operation).await.unwrap();
    let outcome = outcome(&claimed, &approved());
    house.store.record_batch(std::slice::from_ref(&outcome)).await.unwrap();
    let before = everything(&house).await;
    let error = house.store.record_batch(std::slice::from_ref(&outcome)).await.unwrap_err();
    assert!(matches!(error, StoreError::BatchDisagrees));
    assert_eq!(house.store.record_one(&outcome).await.unwrap(), Recorded::Refused { late: Late::Nothing });
    assert_eq!(everything(&house).await, before);
    house.leave().await;
}

#[tokio::test]
async fn a_case_is_opened_once_with_the_decision() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let claimed = house.claims(house.worker, sold.operation).await.unwrap();
    let reference = claimed.fresh.as_ref().unwrap().reference.clone();
    let now = claimed.operation.created_at;
    let reversed = naru_shared::domain::attempt::NetCancelAnswer::Reversed;
    let because = naru_shared::domain::attempt::Because::WrongAmount;
    let step = claimed.after_net_cancel(&reference, because, &reversed, now, now, &mut crate::house::two_seconds);
    let outcome = Outcome::new(&claimed, crate::house::decision(step), None, TRACE.into());
    house.store.record_one(&outcome).await.unwrap();
    house.store.record_one(&outcome).await.unwrap();
    assert_eq!(house.ask("select count(*) || ' ' || min(kind) from cases").await, "1 amount_mismatch");
    let payment = house.payment(sold.payment).await;
    assert_eq!((payment.state.status(), payment.state.money_state), (PaymentStatus::Aborted, MoneyState::Reversed));
    house.leave().await;
}

#[tokio::test]
async fn what_its_payment_does_not_take_is_buried_and_the_money_goes_back() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let claimed = house.claims(house.worker, sold.operation).await.unwrap();
    let outcome = outcome(&claimed, &approved());
    // No course of things leads here; a mistake of ours might.
    house
        .run(
            "update payments set status = 'EXPIRED', money_state = 'NOT_MOVED', expires_at = null,
            state = (state - 'operation') || '{\"status\":\"EXPIRED\",\"moneyState\":\"NOT_MOVED\"}'",
        )
        .await;
    let Recorded::Unfit { late: Late::Reversing(reversal) } = house.store.record_one(&outcome).await.unwrap() else {
        panic!("an expired payment takes no approval");
    };
    let operation = house.store.operation(sold.operation).await.unwrap().unwrap();
    assert_eq!(operation.status, OperationStatus::Dead);
    assert_eq!(house.store.operations_owing_a_letter(10).await.unwrap(), [sold.operation]);
    let claimed = house.claims(house.worker, reversal).await.unwrap();
    assert_eq!(claimed.payment.state.money_state, MoneyState::Unknown);
    house.leave().await;
}

#[tokio::test]
async fn a_reversal_settles_the_attempts_it_reverses() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let claimed = house.claims(house.worker, sold.operation).await.unwrap();
    let declined = ApproveAnswer::Busy("M1".into());
    house.store.record_batch(&[outcome(&claimed, &declined)]).await.unwrap();
    let attempt = claimed.fresh.as_ref().unwrap();
    let late = crate::house::answered(attempt.id, &naru_shared::domain::attempt::Answer::Approve(approved()));
    // The busy answer stands in the row; what comes later still counts.
    house.run("update attempts set answer = null, answered_at = null").await;
    let Late::Reversing(reversal) = house.store.answer_attempt(&late, TRACE).await.unwrap() else { panic!() };
    // The approval is not settled yet, and goes first.
    house.run("update operations set due_at = now()").await;
    let again = house.claims(house.worker, sold.operation).await.unwrap();
    house.store.record_batch(&[outcome(&again, &approved())]).await.unwrap();
    let claimed = house.claims(house.worker, reversal).await.unwrap();
    let finished = Decision {
        event: Some(PaymentEvent::ReversalFinished { operation: reversal, reversed: true }),
        ..Decision::of(Next::Settled(OperationResult::Succeeded))
    }
    .resolving(&attempt.reference, naru_shared::domain::attempt::Resolution::Reversed);
    let outcome = Outcome::new(&claimed, finished, None, TRACE.into());
    house.store.record_batch(&[outcome]).await.unwrap();
    let resolutions = "select string_agg(resolution, ' ' order by sent_at) from attempts where call = 'approve'";
    assert_eq!(house.ask(resolutions).await, "reversed approved");
    let payment = house.payment(sold.payment).await;
    assert_eq!((payment.state.status(), payment.state.money_state), (PaymentStatus::Done, MoneyState::Moved));
    house.leave().await;
}
