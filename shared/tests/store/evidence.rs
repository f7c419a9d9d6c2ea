//! Answers that come late: kept, and acted on in the same commit.

use naru_shared::domain::attempt::{
    Answer, ApprovalFacts, ApproveAnswer, Because, Call, InquiryAnswer, NetCancelAnswer,
};
use naru_shared::domain::course::Claimed;
use naru_shared::domain::id::{AttemptId, WorkerId};
use naru_shared::domain::operation::OperationResult;
use naru_shared::domain::payment::{MoneyState, PaymentStatus};
use naru_shared::store::{Late, NewAttempt, Outcome, Recorded, StoreError};
use sqlx::Connection as _;
use uuid::Uuid;

use crate::house::{House, Sold, TRACE, answered, approved, decision, much_later, outcome, two_seconds, unknown, won};

/// A claim was lost; the next one found nothing at the acquirer when it was too late, and gave the payment up.
async fn given_up(house: &House, sold: Sold) -> (WorkerId, Claimed) {
    let first = house.worker;
    let lost = house.claims(first, sold.operation).await.unwrap();
    house.store.end_lease(first).await.unwrap();
    let other = house.another_worker().await;
    let second = house.claims(other, sold.operation).await.unwrap();
    house.store.record_one(&gives_up(&second)).await.unwrap();
    assert_eq!(house.payment(sold.payment).await.state.status(), PaymentStatus::Aborted);
    (other, lost)
}

fn gives_up(claimed: &Claimed) -> Outcome {
    let reference = claimed.open[0].reference.clone();
    let because = Because::TooLate;
    let nothing = NetCancelAnswer::NoOriginal;
    let step = claimed.after_net_cancel(
        &reference,
        because,
        &nothing,
        much_later(claimed),
        much_later(claimed),
        &mut two_seconds,
    );
    Outcome::new(claimed, decision(step), None, TRACE.into())
}

#[tokio::test]
async fn a_refused_approval_is_kept_and_reversed_in_the_same_commit() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let (_, lost) = given_up(&house, sold).await;
    let late = outcome(&lost, &approved());
    let Recorded::Refused { late: Late::Reversing(reversal) } = house.store.record_one(&late).await.unwrap() else {
        panic!("an approval that nobody wants is reversed");
    };
    let payment = house.payment(sold.payment).await;
    assert_eq!((payment.version, payment.operation_count), (3, 2));
    assert_eq!((payment.state.status(), payment.state.money_state), (PaymentStatus::Aborted, MoneyState::Unknown));
    let operation = house.store.operation(reversal).await.unwrap().unwrap();
    assert_eq!((operation.number, operation.target.as_ref()), (2, Some(&lost.fresh.as_ref().unwrap().reference)));
    let one_commit = format!(
        "select (select xmin from operations where id = '{reversal}')::text = (select tx from payment_events
        where version = 3)::text and (select xmin from attempts limit 1)::text = (select xmin from payments)::text
        and (select xmin from payments)::text = (select tx from payment_events where version = 3)::text"
    );
    assert_eq!(house.ask(one_commit).await, "true");
    assert_eq!(house.ask("select answer || ' ' || resolution from attempts").await, "approved reversing");

    // The same answer again adds nothing.
    assert_eq!(house.store.record_one(&late).await.unwrap(), Recorded::Refused { late: Late::Nothing });
    assert_eq!(house.payment(sold.payment).await.version, 3);
    house.leave().await;
}

#[tokio::test]
async fn no_answer_at_all_after_the_decision_is_reversed_too() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let (_, lost) = given_up(&house, sold).await;
    let late = house.store.record_one(&outcome(&lost, &unknown())).await.unwrap();
    assert!(matches!(late, Recorded::Refused { late: Late::Reversing(_) }), "{late:?}");
    let declined = house.sells().await;
    let (_, lost) = given_up_again(&house, declined).await;
    let late = house.store.record_one(&outcome(&lost, &ApproveAnswer::Busy("M1".into()))).await.unwrap();
    assert_eq!(late, Recorded::Refused { late: Late::Nothing });
    house.leave().await;
}

/// The house's own worker is dead by now.
async fn given_up_again(house: &House, sold: Sold) -> (WorkerId, Claimed) {
    house.store.renew_lease(house.worker, "one").await.unwrap();
    given_up(house, sold).await
}

#[tokio::test]
async fn an_answer_that_leads_on_is_weighed_when_it_is_kept() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let (_, lost) = given_up(&house, sold).await;
    let attempt = lost.fresh.as_ref().unwrap().id;
    let late = house.store.answer_attempt(&answered(attempt, &Answer::Approve(approved())), TRACE).await.unwrap();
    assert!(matches!(late, Late::Reversing(_)), "{late:?}");
    assert_eq!(house.payment(sold.payment).await.state.money_state, MoneyState::Unknown);
    house.leave().await;
}

#[tokio::test]
async fn an_answer_that_leads_on_is_written_with_its_reversal_or_not_at_all() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let (_, lost) = given_up(&house, sold).await;
    let late = answered(lost.fresh.as_ref().unwrap().id, &Answer::Approve(approved()));
    // Somebody else is busy with the payment: its reversal can't be queued yet.
    let mut busy = sqlx::PgConnection::connect(&house.url).await.unwrap();
    sqlx::raw_sql("begin; select from payments for update").execute(&mut busy).await.unwrap();
    let error = house.store.answer_attempt(&late, TRACE).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(house.ask("select answer from attempts where call = 'approve'").await, "null");
    sqlx::raw_sql("rollback").execute(&mut busy).await.unwrap();

    let Late::Reversing(reversal) = house.store.answer_attempt(&late, TRACE).await.unwrap() else {
        panic!("an approval that nobody wants is reversed");
    };
    let one_commit = format!(
        "select (select xmin from operations where id = '{reversal}')::text = (select tx from payment_events
        where version = 3)::text and (select xmin from attempts)::text = (select xmin from payments)::text
        and (select xmin from payments)::text = (select tx from payment_events where version = 3)::text"
    );
    assert_eq!(house.ask(one_commit).await, "true");
    assert_eq!(house.ask("select answer || ' ' || resolution from attempts").await, "approved reversing");
    // Told again, for the answer to the commit may be lost, it adds nothing.
    assert_eq!(house.store.answer_attempt(&late, TRACE).await.unwrap(), Late::Nothing);
    assert_eq!(house.payment(sold.payment).await.version, 3);
    house.leave().await;
}

#[tokio::test]
async fn what_an_inquiry_of_a_lost_claim_heard_is_weighed() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let (inquiry, third) = lost_twice(&house, &sold).await;
    house.store.record_one(&gives_up(&third)).await.unwrap();
    let facts = ApprovalFacts { money: Some(won(15_000)), number: "12345678".into(), interest_payer: None };
    let heard = Answer::Inquire(InquiryAnswer::Approved(facts));
    let late = house.store.answer_attempt(&answered(inquiry, &heard), TRACE).await.unwrap();
    assert!(matches!(late, Late::Reversing(_)), "{late:?}");
    house.leave().await;
}

/// What the second claim does while it looks for what became of the first.
async fn begins(house: &House, worker: WorkerId, claimed: &Claimed, call: Call) -> AttemptId {
    let id = AttemptId(Uuid::now_v7());
    let asks = NewAttempt {
        id,
        operation: claimed.operation.id,
        fence: claimed.operation.fence,
        worker,
        call,
        reference: &claimed.open[0].reference,
        because: (call == Call::NetCancel).then_some(Because::TooLate),
    };
    assert!(house.store.begin_attempt(&asks).await.unwrap().is_some());
    id
}

/// A payment was given up although somebody has heard of an approval: its reversal goes first, so that no version of the
/// payment, and no answer to whoever asked for it, says that no money is out.
async fn is_given_up_with_a_reversal(house: &House, sold: Sold, decided: Outcome, why: &str) {
    let batch = house.store.record_batch(std::slice::from_ref(&decided)).await;
    assert!(matches!(batch, Err(StoreError::BatchDisagrees)), "{why}: {batch:?}");
    let recorded = house.store.record_one(&decided).await.unwrap();
    let Recorded::Stands { version: 3, next, late: Late::Reversing(reversal), .. } = recorded else {
        panic!("{why}: the decision stands, and the reversal beside it: {recorded:?}");
    };
    assert_eq!(next.iter().map(|hint| hint.operation).collect::<Vec<_>>(), [reversal], "{why}: the reversal is next");
    let payment = house.payment(sold.payment).await;
    assert_eq!((payment.state.status(), payment.state.money_state), (PaymentStatus::Aborted, MoneyState::Unknown));
    assert_eq!(is_told(house, sold).await, (Some(MoneyState::Unknown), 3, MoneyState::Unknown), "{why}");
    let told = "select string_agg(state ->> 'moneyState', ' ' order by version) from payment_events";
    assert_eq!(house.ask(told).await, "UNKNOWN UNKNOWN UNKNOWN", "{why}");
}

/// Where the answer to whoever asked for the approval says that the money is; and the payment, at which version.
async fn is_told(house: &House, sold: Sold) -> (Option<MoneyState>, i64, MoneyState) {
    let (_, settled) = house.store.settled(&[sold.operation]).await.unwrap().pop().unwrap();
    let money_state = match settled.result {
        Some(OperationResult::Failed { money_state, .. }) => Some(money_state),
        Some(OperationResult::Succeeded) | None => None,
    };
    (money_state, settled.payment.version, settled.payment.state.money_state)
}

#[tokio::test]
async fn a_decision_that_contradicts_what_was_heard_meanwhile_is_recorded_with_a_reversal() {
    for heard in [approved(), unknown(), ApproveAnswer::Pending] {
        let house = House::enter().await;
        let sold = house.sells().await;
        let lost = house.claims(house.worker, sold.operation).await.unwrap();
        house.store.end_lease(house.worker).await.unwrap();
        let other = house.another_worker().await;
        let second = house.claims(other, sold.operation).await.unwrap();
        begins(&house, other, &second, Call::NetCancel).await;
        // While the second asks, the first hears.
        assert_eq!(
            house.store.record_one(&outcome(&lost, &heard)).await.unwrap(),
            Recorded::Refused { late: Late::Kept }
        );
        is_given_up_with_a_reversal(&house, sold, gives_up(&second), &format!("{heard:?}")).await;
        house.leave().await;
    }
}

#[tokio::test]
async fn a_decision_that_contradicts_what_an_inquiry_heard_is_recorded_with_a_reversal() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let (inquiry, third) = lost_twice(&house, &sold).await;
    let facts = ApprovalFacts { money: Some(won(15_000)), number: "12345678".into(), interest_payer: None };
    let heard = Answer::Inquire(InquiryAnswer::Approved(facts));
    assert_eq!(house.store.answer_attempt(&answered(inquiry, &heard), TRACE).await.unwrap(), Late::Kept);
    is_given_up_with_a_reversal(&house, sold, gives_up(&third), "an inquiry").await;
    house.leave().await;
}

#[tokio::test]
async fn an_answer_says_what_is_known_when_it_is_given_and_not_when_the_work_was_claimed() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let first = house.claims(house.worker, sold.operation).await.unwrap();
    house.store.record_batch(&[outcome(&first, &ApproveAnswer::Busy("M1".into()))]).await.unwrap();
    house.run("update operations set due_at = now()").await;
    let second = house.claims(house.worker, sold.operation).await.unwrap();
    // The first was approved after all: a reversal is queued while the second try is under way, and declined.
    house.run("update attempts set answer = null, answered_at = null where fence = 1").await;
    let late = answered(first.fresh.as_ref().unwrap().id, &Answer::Approve(approved()));
    assert!(matches!(house.store.answer_attempt(&late, TRACE).await.unwrap(), Late::Reversing(_)));
    let failure = naru_shared::domain::failure::Failure::declined(
        naru_shared::domain::failure::FailureCode::RejectCardPayment,
        "51",
    );
    let declined = outcome(&second, &ApproveAnswer::Declined(failure));
    let batch = house.store.record_batch(std::slice::from_ref(&declined)).await;
    assert!(matches!(batch, Err(StoreError::BatchDisagrees)), "{batch:?}");
    let recorded = house.store.record_one(&declined).await.unwrap();
    assert!(matches!(recorded, Recorded::Stands { version: 4, late: Late::Nothing, .. }), "{recorded:?}");
    assert_eq!(is_told(&house, sold).await, (Some(MoneyState::Unknown), 4, MoneyState::Unknown));
    house.leave().await;
}

/// An approval whose first claim was lost, whose second was lost while it inquired, and that a third has taken over: that
/// inquiry, and the third claim.
async fn lost_twice(house: &House, sold: &Sold) -> (AttemptId, Claimed) {
    house.claims(house.worker, sold.operation).await.unwrap();
    house.store.end_lease(house.worker).await.unwrap();
    let second_worker = house.another_worker().await;
    let second = house.claims(second_worker, sold.operation).await.unwrap();
    let inquiry = begins(house, second_worker, &second, Call::Inquire).await;
    house.store.end_lease(second_worker).await.unwrap();
    let third_worker = house.another_worker().await;
    let third = house.claims(third_worker, sold.operation).await.unwrap();
    (inquiry, third)
}
