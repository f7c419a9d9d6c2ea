//! Accepted, in turn, and posted.

use naru_shared::domain::attempt::{Answer, Call, ChangeAnswer, ChangeRefusal, RefusedBecause};
use naru_shared::domain::id::AttemptId;
use naru_shared::domain::payment::PaymentStatus;
use naru_shared::store::{Answered, Late, Rearmed, Recorded};
use uuid::Uuid;

use super::given_up::disputed;
use super::{POSTINGS, accept, accept_as_read, cancel, capture, carried_out, done, heard, paid, sent};
use crate::house::{House, TRACE, answered, approved, outcome};

#[tokio::test]
async fn of_two_that_saw_the_same_one_is_accepted() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (first, second) = (cancel(10_000), cancel(10_000));
    let read = house.payment(sold.payment).await;
    let (first, second) = tokio::join!(accept_as_read(&house, &read, &first), accept_as_read(&house, &read, &second));
    assert_eq!(usize::from(first.is_some()) + usize::from(second.is_some()), 1, "{first:?} {second:?}");
    let payment = house.payment(sold.payment).await;
    assert_eq!((payment.state.reserved, payment.state.refundable()), (10_000, 5_000));
    let columns = "select canceled_amount || ' ' || reserved_amount from payments";
    assert_eq!(house.ask(columns).await, "0 10000");
    assert!(payment.state.on(&cancel(5_001)).is_err(), "who looks again sees what is reserved");
    // Should anybody write what no decision can mean, Postgres refuses it.
    let more = "update payments set reserved_amount = 15001, state = jsonb_set(state, '{reserved}', '15001')";
    let refused = house.try_run(more).await.unwrap_err();
    assert_eq!(refused.as_database_error().and_then(|error| error.constraint()), Some("payments_balance"));
    house.leave().await;
}

#[tokio::test]
async fn in_their_order_and_each_posted_once() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (first, _) = accept(&house, sold, &cancel(1_000)).await.unwrap();
    let (captured, _) = accept(&house, sold, &capture()).await.unwrap();
    let (second, _) = accept(&house, sold, &cancel(2_000)).await.unwrap();
    assert!(house.claims(house.worker, captured).await.is_none(), "one before it is unsettled");
    assert!(house.claims(house.worker, second).await.is_none(), "two before it are unsettled");

    assert_eq!(carried_out(&house, first, &done(1_000)).await, [captured]);
    assert_eq!(carried_out(&house, captured, &done(14_000)).await, [second]);
    let (claimed, call, reference, attempt) = sent(&house, second).await;
    assert_eq!(call, Call::Refund, "it was captured meanwhile");
    let refund = heard(&claimed, call, &reference, attempt, &done(2_000));
    assert_eq!(house.store.record_batch(std::slice::from_ref(&refund)).await.unwrap(), []);
    // Recorded again, for the answer to the commit may be lost, it adds nothing.
    house.store.record_batch(std::slice::from_ref(&refund)).await.unwrap_err();
    assert!(matches!(house.store.record_one(&refund).await.unwrap(), Recorded::Refused { late: Late::Nothing }));

    assert_eq!(
        house.ask(POSTINGS).await,
        "PAYMENT authorized payable 15000, CANCEL payable authorized 1000, CAPTURE receivable authorized 14000, \
        REFUND payable receivable 2000"
    );
    let balances = "select string_agg(account || ' ' || balance, ', ' order by account) from account_balances";
    assert_eq!(house.ask(balances).await, "authorized 0, payable -12000, receivable 12000");
    assert_eq!(house.ask("select canceled_amount || ' ' || reserved_amount from payments").await, "3000 0");
    let versions = "select bool_and(e.type in ('payment.done', 'cancel.done', 'payment.captured')) from postings q
        join payment_events e on e.payment_id = q.payment_id and e.version = q.version";
    assert_eq!(house.ask(versions).await, "true");
    house.leave().await;
}

/// An outcome is recorded on how the payment stands by then.
#[tokio::test]
async fn what_is_accepted_while_another_is_under_way_is_kept() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (first, _) = accept(&house, sold, &cancel(1_000)).await.unwrap();
    let (claimed, call, reference, attempt) = sent(&house, first).await;
    let (second, _) = accept(&house, sold, &cancel(14_000)).await.unwrap();
    let outcome = heard(&claimed, call, &reference, attempt, &done(1_000));
    house.store.record_batch(std::slice::from_ref(&outcome)).await.unwrap_err();
    let recorded = house.store.record_one(&outcome).await.unwrap();
    let Recorded::Stands { next, version: 5, .. } = recorded else { panic!("{recorded:?}") };
    assert_eq!(next.iter().map(|hint| hint.operation).collect::<Vec<_>>(), [second]);
    let state = house.payment(sold.payment).await.state;
    assert_eq!((state.canceled, state.reserved, state.refundable()), (1_000, 14_000, 0));
    assert_eq!(carried_out(&house, second, &done(14_000)).await, []);
    assert_eq!(house.payment(sold.payment).await.state.status(), PaymentStatus::Canceled);
    let posted = "PAYMENT authorized payable 15000, CANCEL payable authorized 1000, CANCEL payable authorized 14000";
    assert_eq!(house.ask(POSTINGS).await, posted);
    house.leave().await;
}

#[tokio::test]
async fn what_was_not_given_back_is_free_again() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(15_000)).await.unwrap();
    let refused = ChangeAnswer::Declined(ChangeRefusal { why: RefusedBecause::Declined, code: "05".into() });
    carried_out(&house, operation, &refused).await;
    assert_eq!(
        house.ask("select status || ' ' || canceled_amount || ' ' || reserved_amount from payments").await,
        "DONE 0 0"
    );
    assert_eq!(house.ask(POSTINGS).await, "PAYMENT authorized payable 15000");
    assert!(accept(&house, sold, &cancel(15_000)).await.is_some());
    house.leave().await;
}

#[tokio::test]
async fn slips_are_due_until_somebody_asks_or_nothing_is_left() {
    let house = House::enter().await;
    let due = async || -> Vec<_> {
        let due = house.store.payments_to_capture(10).await.unwrap();
        due.into_iter().map(|payment| payment.id).collect()
    };
    let (asked, canceled, left) = (paid(&house).await, paid(&house).await, paid(&house).await);
    let open = house.sells().await;
    assert_eq!(due().await, [], "the next day in Korea has not begun");
    let late = "update payments set capture_at = now() where capture_at is not null";
    assert_eq!(house.run(late).await, 3, "of {open:?} nothing is to be captured");
    assert_eq!(due().await.len(), 3);

    accept(&house, asked, &capture()).await.unwrap();
    let (operation, _) = accept(&house, canceled, &cancel(15_000)).await.unwrap();
    carried_out(&house, operation, &done(15_000)).await;
    let (operation, _) = accept(&house, left, &cancel(1_000)).await.unwrap();
    carried_out(&house, operation, &done(1_000)).await;
    house.run(late).await;
    assert_eq!(due().await, [left.payment]);
    house.leave().await;
}

/// A reversal that does not end holds up nobody, and what is accepted later does not hold it up.
#[tokio::test]
async fn nothing_waits_for_a_net_cancel() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let claimed = house.claims(house.worker, sold.operation).await.unwrap();
    house.store.record_batch(&[outcome(&claimed, &approved())]).await.unwrap();
    // Another approval of it comes to light, under another reference.
    let id = AttemptId(Uuid::now_v7());
    let late = format!(
        "insert into attempts (id, operation_id, call, reference, fence, worker, answer, answered_at, resolution)
        values ('{0}', '{1}', 'approve', 'ref-{0}', 1, '{2}', 'unknown', now(), 'not_moved')",
        id.0, sold.operation, house.worker.0
    );
    house.run(late).await;
    let told = Answered { attempt: id, call: Call::Approve, ..answered(id, &Answer::Approve(approved())) };
    house.run("update attempts set answer = null, answered_at = null where resolution = 'not_moved'").await;
    let Late::Reversing(reversal) = house.store.answer_attempt(&told, TRACE).await.unwrap() else {
        panic!("it is reversed")
    };
    let (first, _) = accept(&house, sold, &cancel(1_000)).await.unwrap();
    assert_eq!(
        house.payment(sold.payment).await.state.work().map(|work| work.id),
        Some(first),
        "what was asked for is told"
    );
    assert!(house.claims(house.worker, reversal).await.is_some());
    assert_eq!(carried_out(&house, first, &done(1_000)).await, [], "the reversal is under way");
    house
        .run("update operations set status = 'unknown', owner = null, claimed_at = null where kind = 'net_cancel'")
        .await;
    let (second, _) = accept(&house, sold, &cancel(2_000)).await.unwrap();
    disputed(&house, second).await;
    assert_eq!(house.store.rearm(second, TRACE).await.unwrap(), Rearmed::Yes, "nor does a replay");
    let captured = accept(&house, sold, &capture()).await.unwrap().0;
    assert!(house.claims(house.worker, captured).await.is_none(), "one another's turn they do await");
    assert!(house.claims(house.worker, reversal).await.is_some());
    house.leave().await;
}
