//! Cancels, refunds and captures in Postgres: what is reserved under races, whose turn it is, what is posted.

use naru_shared::domain::attempt::{
    Answer, ApprovalFacts, Because, Call, ChangeAnswer, ChangeFacts, ChangeRefusal, Earlier, InquiryAnswer,
    RefusedBecause,
};
use naru_shared::domain::cancel::Cancel;
use naru_shared::domain::course::{Claimed, Doubt, Step};
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::{AttemptId, OperationId, Reference};
use naru_shared::domain::operation::{CHANGE_WITHIN, Connector, OperationKind, OperationStatus};
use naru_shared::domain::operator::OperatorWord;
use naru_shared::domain::payment::{MoneyState, Payment, PaymentStatus, Work};
use naru_shared::store::{
    Advance, Advanced, Answered, Clock, Heeded, Late, NewAttempt, NewOperation, Outcome, Rearmed, Recorded, Said,
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::house::{House, Sold, TRACE, answered, approved, decision, outcome, two_seconds, won};

const TRACE_PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A payment of 15,000 that is paid.
async fn paid(house: &House) -> Sold {
    let sold = house.sells().await;
    let claimed = house.claims(house.worker, sold.operation).await.unwrap();
    house.store.record_batch(&[outcome(&claimed, &approved())]).await.unwrap();
    sold
}

fn queued(kind: OperationKind) -> Work {
    let id = OperationId(Uuid::now_v7());
    Work { id, kind, status: OperationStatus::Queued, attempt: 0, next_attempt_at: None }
}

fn cancel(amount: i64) -> PaymentEvent {
    PaymentEvent::CancelQueued {
        cancel: Cancel {
            work: queued(OperationKind::Cancel),
            amount,
            tax_free: 0,
            reason: "changed my mind".into(),
            payee: None,
            requested_at: OffsetDateTime::UNIX_EPOCH,
            end: None,
        },
    }
}

fn capture() -> PaymentEvent {
    PaymentEvent::CaptureQueued { work: queued(OperationKind::Capture) }
}

/// Accepts it as the payment stands now; nothing when somebody else was faster.
async fn accept(house: &House, sold: Sold, event: &PaymentEvent) -> Option<(OperationId, Advanced)> {
    accept_as_read(house, &house.payment(sold.payment).await, event).await
}

/// The same, as it was read before.
async fn accept_as_read(house: &House, payment: &Payment, event: &PaymentEvent) -> Option<(OperationId, Advanced)> {
    let next = payment.state.on(event).unwrap();
    let (work, amount) = if let PaymentEvent::CancelQueued { cancel } = event {
        (&cancel.work, cancel.amount)
    } else if let PaymentEvent::CaptureQueued { work } = event {
        (work, payment.state.balance(15_000))
    } else {
        panic!("{event:?} queues nothing");
    };
    let operation = NewOperation {
        id: work.id,
        kind: work.kind,
        connector: Connector::Card,
        amount: won(amount),
        before: None,
        trace_parent: TRACE_PARENT,
    };
    let change = Advance {
        payment,
        next: &next,
        event,
        clock: Clock::InTime,
        operation: Some(operation),
        key: None,
        trace_id: TRACE,
    };
    let advanced = house.store.advance_payment(&change).await.unwrap()?;
    Some((work.id, advanced))
}

/// Claims an operation and writes down the call that it begins with.
async fn sent(house: &House, operation: OperationId) -> (Claimed, Call, Reference, AttemptId) {
    let claimed = house.claims(house.worker, operation).await.unwrap();
    let now = claimed.operation.created_at;
    let Step::Change { call, again } = claimed.first_step(now, &mut two_seconds) else { panic!("nothing is sent") };
    let id = AttemptId(Uuid::now_v7());
    let reference = again.unwrap_or_else(|| Reference::of(id));
    begin(house, &claimed, id, call, &reference, None).await;
    (claimed, call, reference, id)
}

async fn begin(
    house: &House,
    claimed: &Claimed,
    id: AttemptId,
    call: Call,
    reference: &Reference,
    because: Option<Because>,
) {
    let (operation, fence) = (claimed.operation.id, claimed.operation.fence);
    let attempt = NewAttempt { id, operation, fence, worker: house.worker, call, reference, because };
    assert!(house.store.begin_attempt(&attempt).await.unwrap().is_some(), "the claim holds");
}

fn done(amount: i64) -> ChangeAnswer {
    ChangeAnswer::Done(ChangeFacts { money: Some(won(amount)) })
}

fn heard(claimed: &Claimed, call: Call, reference: &Reference, attempt: AttemptId, answer: &ChangeAnswer) -> Outcome {
    let now = claimed.operation.created_at + Duration::seconds(1);
    let step = claimed.after_change(call, reference, answer, now, &mut two_seconds);
    let answered: Answered = answered(attempt, &Answer::Change(call, answer.clone()));
    Outcome::new(claimed, decision(step), Some(answered), TRACE.into())
}

/// Carries an operation out, and returns the operations whose turn it is then.
async fn carried_out(house: &House, operation: OperationId, answer: &ChangeAnswer) -> Vec<OperationId> {
    let (claimed, call, reference, attempt) = sent(house, operation).await;
    let outcome = heard(&claimed, call, &reference, attempt, answer);
    let next = house.store.record_batch(&[outcome]).await.unwrap();
    next.into_iter().map(|hint| hint.operation).collect()
}

const POSTINGS: &str =
    "select string_agg(kind || ' ' || debit || ' ' || credit || ' ' || amount, ', ' order by version)
    from postings";

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

/// A cancel was taken for never made, and then the acquirer says that it was.
#[tokio::test]
async fn a_late_answer_of_a_change_is_a_case() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (lost, call, reference, attempt) = sent(&house, operation).await;
    house.store.end_lease(house.worker).await.unwrap();
    house.store.renew_lease(house.worker, "one").await.unwrap();
    house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;

    // Whoever takes it over finds nothing, long after it can have been sent.
    let claimed = house.claims(house.worker, operation).await.unwrap();
    let open = claimed.open.first().unwrap();
    assert_eq!((open.call, &open.reference, open.doubted), (Call::Cancel, &reference, None));
    let mut naive = claimed.clone();
    naive.manners.dedupes_by_reference = false;
    let later = claimed.operation.created_at + Duration::minutes(1);
    let step = naive.after_change_inquiry(&reference, &InquiryAnswer::NotFound, later, later, &mut two_seconds);
    let outcome = Outcome::new(&naive, decision(step), None, TRACE.into());
    assert!(!outcome.is_plain(), "somebody else may have heard otherwise");
    assert!(matches!(house.store.record_one(&outcome).await.unwrap(), Recorded::Stands { late: Late::Nothing, .. }));

    let late = heard(&lost, call, &reference, attempt, &done(4_000));
    assert_eq!(house.store.record_one(&late).await.unwrap(), Recorded::Refused { late: Late::Case });
    let case = format!("select kind || ' ' || reference = 'late_change {reference}' from cases");
    assert_eq!(house.ask(case.as_str()).await, "true");
    // Told again it adds nothing; and nothing is reversed, for nothing can be.
    let again = answered(attempt, &Answer::Change(call, done(4_000)));
    assert_eq!(house.store.answer_attempt(&again, TRACE).await.unwrap(), Late::Kept);
    assert_eq!(house.ask("select count(*) from cases").await, "1");
    assert_eq!(house.ask("select count(*) from operations where kind = 'net_cancel'").await, "0");
    // Before anything is sent again, it is asked after.
    let claimed = house.claims(house.worker, operation).await.unwrap();
    assert_eq!(claimed.open.first().map(|open| &open.reference), Some(&reference));
    house.leave().await;
}

/// Once it has ended otherwise, the same answer is a person's.
#[tokio::test]
async fn an_answer_about_an_attempt_that_nobody_knew_of_is_a_case() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (_, call, _, attempt) = sent(&house, operation).await;
    // As if its claim had not seen it: another one of the same operation settles it.
    house.run("update attempts set resolution = 'not_moved' where call = 'cancel'").await;
    house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;
    carried_out(&house, operation, &done(4_000)).await;
    let hidden = format!("update attempts set resolution = null where id = '{}'", attempt.0);
    assert_eq!(house.run(hidden.as_str()).await, 1);
    let late = answered(attempt, &Answer::Change(call, done(4_000)));
    assert_eq!(house.store.answer_attempt(&late, TRACE).await.unwrap(), Late::Case);
    assert_eq!(house.ask("select count(*) from cases where kind = 'late_change'").await, "1");
    house.leave().await;
}

/// A claim that has not seen what an earlier one wrote down does not send the same under another name.
#[tokio::test]
async fn a_change_is_not_begun_while_another_of_it_is_open() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (_, call, reference, _) = sent(&house, operation).await;
    house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;
    let claimed = house.claims(house.worker, operation).await.unwrap();
    let id = AttemptId(Uuid::now_v7());
    let (another, fence) = (Reference::of(id), claimed.operation.fence);
    let new = |reference| NewAttempt { id, operation, fence, worker: house.worker, call, reference, because: None };
    assert_eq!(house.store.begin_attempt(&new(&another)).await.unwrap(), None);
    assert!(house.store.begin_attempt(&new(&reference)).await.unwrap().is_some(), "the same may be sent again");
    house.leave().await;
}

/// The other way round: the answer came first, and whoever decides that nothing was done hears of it.
#[tokio::test]
async fn a_decision_that_nothing_was_done_is_weighed_against_what_others_heard() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (_, call, reference, attempt) = sent(&house, operation).await;
    house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;
    let mut claimed = house.claims(house.worker, operation).await.unwrap();
    let early = answered(attempt, &Answer::Change(call, done(4_000)));
    assert_eq!(house.store.answer_attempt(&early, TRACE).await.unwrap(), Late::Kept);
    claimed.manners.dedupes_by_reference = false;
    let later = claimed.operation.created_at + Duration::minutes(1);
    let step = claimed.after_change_inquiry(&reference, &InquiryAnswer::NotFound, later, later, &mut two_seconds);
    let outcome = Outcome::new(&claimed, decision(step), None, TRACE.into());
    let recorded = house.store.record_one(&outcome).await.unwrap();
    assert_eq!(recorded, Recorded::Doubted);
    assert_eq!(house.ask("select count(*) from cases where kind = 'late_change'").await, "1");
    // It is as open as it was, and is asked after again.
    assert_eq!(
        house.ask("select status || ' ' || (due_at > now()) from operations where kind = 'cancel'").await,
        "unknown true"
    );
    assert_eq!(house.ask("select count(*) from attempts where call = 'cancel' and resolution is null").await, "1");
    house.leave().await;
}

/// What was asked about a reference before is known to whoever asks next.
#[tokio::test]
async fn a_resend_is_counted_from_its_newest_sending() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (claimed, call, reference, _) = sent(&house, operation).await;
    begin(&house, &claimed, AttemptId(Uuid::now_v7()), call, &reference, None).await;
    house.run("update attempts set sent_at = now() + interval '3 seconds' where call = 'cancel' and id = (select max(id::text)::uuid from attempts where call = 'cancel')").await;
    let (operation, fence) = (claimed.operation.id, claimed.operation.fence);
    let inquiry = NewAttempt {
        id: AttemptId(Uuid::now_v7()),
        operation,
        fence,
        worker: house.worker,
        call: Call::Inquire,
        reference: &reference,
        because: None,
    };
    let begun = house.store.begin_attempt(&inquiry).await.unwrap().unwrap();
    assert!(begun.sent_at > Some(claimed.operation.created_at + Duration::seconds(2)), "{begun:?}");
    house.leave().await;
}

/// "Already cancelled", or less left, is doubted by whoever comes next; any other refusal is only asked after.
#[tokio::test]
async fn a_refusal_that_was_heard_and_not_decided_is_asked_after() {
    let house = House::enter().await;
    for why in [
        RefusedBecause::AlreadyCanceled,
        RefusedBecause::Disagrees,
        RefusedBecause::AlreadyCaptured,
        RefusedBecause::Declined,
    ] {
        let sold = paid(&house).await;
        let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
        let (_, call, reference, attempt) = sent(&house, operation).await;
        let refusal = ChangeRefusal { why, code: "57".into() };
        let told = answered(attempt, &Answer::Change(call, ChangeAnswer::Declined(refusal)));
        house.store.answer_attempt(&told, TRACE).await.unwrap();
        house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;
        let claimed = house.claims(house.worker, operation).await.unwrap();
        let expected = match why {
            RefusedBecause::AlreadyCanceled | RefusedBecause::Disagrees => Step::Verify(Doubt {
                call: Call::Cancel,
                reference: reference.clone(),
                rest: Vec::new(),
                refused: Some((reference, ChangeRefusal { why, code: why.as_str().into() })),
            }),
            RefusedBecause::AlreadyCaptured
            | RefusedBecause::MonthOver
            | RefusedBecause::NotEmpty
            | RefusedBecause::WrongBank
            | RefusedBecause::WrongNumber
            | RefusedBecause::WrongHolder
            | RefusedBecause::Declined => Step::Inquire { reference },
        };
        assert_eq!(claimed.first_step(claimed.operation.created_at, &mut two_seconds), expected, "{why:?}");
    }
    house.leave().await;
}

/// What was given up because its time was over is tried for as long again when a person sends it back; and it holds up
/// nobody meanwhile.
#[tokio::test]
async fn a_cancel_that_was_given_up_lets_others_go_first_and_can_be_sent_back() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (other, _) = accept(&house, sold, &cancel(1_000)).await.unwrap();
    house.run(format!("update operations set deadline_at = now() where id = '{operation}'")).await;
    let claimed = house.claims(house.worker, operation).await.unwrap();
    assert!(claimed.operation.deadline_at > claimed.operation.created_at + CHANGE_WITHIN, "it never had a turn before");
    let step = claimed.first_step(claimed.operation.deadline_at, &mut two_seconds);
    let outcome = Outcome::new(&claimed, decision(step), None, TRACE.into());
    let next = house.store.record_batch(&[outcome]).await.unwrap();
    let letter = "select letter || ' ' || letter_reason from operations where letter is not null";
    assert_eq!(house.ask(letter).await, "replayable OUT_OF_TIME");
    assert_eq!(next.iter().map(|hint| hint.operation).collect::<Vec<_>>(), [other]);
    carried_out(&house, other, &done(1_000)).await;
    assert_eq!(house.ask("select canceled_amount || ' ' || reserved_amount from payments").await, "1000 4000");

    assert_eq!(house.store.rearm(operation, TRACE).await.unwrap(), Rearmed::Yes);
    let time = format!("select deadline_at > now() + interval '23 hours' from operations where id = '{operation}'");
    assert_eq!(house.ask(time).await, "true");
    carried_out(&house, operation, &done(4_000)).await;
    assert_eq!(house.ask("select canceled_amount || ' ' || reserved_amount from payments").await, "5000 0");
    house.leave().await;
}

/// A turn: the change is sent, and refused because the acquirer's books are not as ours.
async fn disputed(house: &House, operation: OperationId) -> Reference {
    let (claimed, call, reference, attempt) = sent(house, operation).await;
    let refused = ChangeAnswer::Declined(ChangeRefusal { why: RefusedBecause::Disagrees, code: "57".into() });
    let outcome = heard(&claimed, call, &reference, attempt, &refused);
    assert!(!outcome.is_plain(), "it opens a case");
    assert!(matches!(house.store.record_one(&outcome).await.unwrap(), Recorded::Stands { .. }));
    reference
}

fn said(operation: OperationId, word: OperatorWord, transaction_key: Option<&'static str>) -> Said<'static> {
    let (operator, reason) = ("kim", "the company's people say so");
    Said { operation, word, operator, reason, transaction_key, address: None, trace_id: TRACE, request: TRACE }
}

/// All that was ever sent for it is known to whoever claims what a person sent back to work; what never left us is not.
#[tokio::test]
async fn what_is_sent_back_to_work_knows_every_earlier_reference() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (claimed, call, unsent, attempt) = sent(&house, operation).await;
    assert!(claimed.earlier.is_empty() && !claimed.operation.rearmed);
    let busy = heard(&claimed, call, &unsent, attempt, &ChangeAnswer::Busy("M1".into()));
    house.store.record_batch(&[busy]).await.unwrap();
    house.run("update operations set due_at = now() where status = 'waiting'").await;
    let first = disputed(&house, operation).await;
    assert_eq!(house.payment(sold.payment).await.state.money_state, MoneyState::Unknown, "whose books are right?");
    let letter = "select status || ' ' || letter || ' ' || letter_reason from operations where kind = 'cancel'";
    assert_eq!(house.ask(letter).await, "dead needs_person BOOKS_DISAGREE");

    assert_eq!(house.store.rearm(operation, TRACE).await.unwrap(), Rearmed::Yes);
    let claimed = house.claims(house.worker, operation).await.unwrap();
    assert_eq!(claimed.earlier, [Earlier { call: Call::Cancel, reference: first.clone() }]);
    let now = claimed.operation.created_at;
    let Step::Verify(doubt) = claimed.first_step(now, &mut two_seconds) else { panic!("it is sent blindly") };
    // It was done after all, by then.
    let found = ApprovalFacts { money: Some(won(4_000)), number: "1".into(), interest_payer: None };
    let step = claimed.after_doubt(&doubt, &InquiryAnswer::Approved(found), now, now, &mut two_seconds);
    let outcome = Outcome::new(&claimed, decision(step), None, TRACE.into());
    house.store.record_batch(&[outcome]).await.unwrap();
    let payment = house.payment(sold.payment).await;
    assert_eq!((payment.state.canceled, payment.state.money_state), (4_000, MoneyState::Moved));
    let resolution = format!("select resolution from attempts where reference = '{first}' and call = 'cancel'");
    assert_eq!(house.ask(resolution.as_str()).await, "approved");
    assert_eq!(house.ask("select count(*) from cases where closed_at is null").await, "1");
    house
        .store
        .archive_letter(Uuid::now_v7(), operation, "BOOKS_DISAGREE", None, None, &serde_json::json!({}))
        .await
        .unwrap();
    house.run("update dead_letters set kind = 'needs_person'").await;
    assert_eq!(house.store.resolve_settled_letters(10).await.unwrap(), 1);
    assert_eq!(house.ask("select count(*) from cases where closed_at is null").await, "0");
    house.leave().await;
}

/// The one that was refused because an earlier one had done it is not left open.
#[tokio::test]
async fn two_references_are_done_with_at_once() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (_, _, first, _) = sent(&house, operation).await;
    house.run("update attempts set resolution = 'not_moved', answer = 'unknown', answered_at = now() where call = 'cancel'").await;
    house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;
    let (claimed, call, second, attempt) = sent(&house, operation).await;
    let now = claimed.operation.created_at;
    let refused = ChangeAnswer::Declined(ChangeRefusal { why: RefusedBecause::Disagrees, code: "57".into() });
    let Step::Verify(doubt) = claimed.after_change(call, &second, &refused, now, &mut two_seconds) else {
        panic!("the earlier one is asked about")
    };
    assert_eq!(doubt.reference, first);
    house.store.answer_attempt(&answered(attempt, &Answer::Change(call, refused)), TRACE).await.unwrap();
    let found = ApprovalFacts { money: Some(won(4_000)), number: "1".into(), interest_payer: None };
    let step = claimed.after_doubt(&doubt, &InquiryAnswer::Approved(found), now, now, &mut two_seconds);
    let outcome = Outcome::new(&claimed, decision(step), None, TRACE.into());
    assert!(matches!(house.store.record_one(&outcome).await.unwrap(), Recorded::Stands { .. }));
    let resolutions = "select string_agg(resolution, ' ' order by sent_at) from attempts where call = 'cancel'";
    assert_eq!(house.ask(resolutions).await, "approved declined");
    house.leave().await;
}

/// What an operator says is booked as the acquirer's word would be, once, with who said it.
#[tokio::test]
async fn an_operators_word_is_booked() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let mut dead = Vec::new();
    for amount in [4_000, 3_000, 2_000] {
        let (operation, _) = accept(&house, sold, &cancel(amount)).await.unwrap();
        disputed(&house, operation).await;
        dead.push(operation);
    }
    let [settled, released, other] = dead[..] else { panic!("three are dead") };
    house
        .store
        .archive_letter(Uuid::now_v7(), settled, "BOOKS_DISAGREE", None, None, &serde_json::json!({}))
        .await
        .unwrap();

    let heeded = house.store.heed(&said(settled, OperatorWord::Settled, Some("T-1"))).await.unwrap();
    assert!(matches!(heeded, Heeded::Booked { .. }), "{heeded:?}");
    let payment = house.payment(sold.payment).await;
    assert_eq!(
        (payment.state.canceled, payment.state.reserved, payment.state.status()),
        (4_000, 5_000, PaymentStatus::PartialCanceled)
    );
    assert_eq!(payment.state.money_state, MoneyState::Unknown, "the books of two others differ");
    assert_eq!(house.ask(POSTINGS).await, "PAYMENT authorized payable 15000, CANCEL payable authorized 4000");
    assert_eq!(house.store.heed(&said(settled, OperatorWord::Settled, None)).await.unwrap(), Heeded::NothingToDo);
    assert_eq!(house.store.heed(&said(settled, OperatorWord::Released, None)).await.unwrap(), Heeded::NothingToDo);
    assert_eq!(house.ask("select resolution from dead_letters where resolved_at is not null").await, "settled");

    let again = house.store.heed(&said(other, OperatorWord::Settled, Some("T-1"))).await.unwrap_err();
    assert!(again.is_constraint("operator_words_transaction"), "{again:?}");
    assert_eq!(house.payment(sold.payment).await.version, payment.version, "nothing of it is booked");

    house.store.heed(&said(released, OperatorWord::Released, None)).await.unwrap();
    let state = house.payment(sold.payment).await.state;
    assert_eq!((state.canceled, state.reserved, state.refundable()), (4_000, 2_000, 9_000));
    let result =
        format!("select status || ' ' || (result #>> '{{failure,reason}}') from operations where id = '{released}'");
    assert_eq!(house.ask(result.as_str()).await, "failed RELEASED_BY_OPERATOR");
    assert_eq!(house.store.rearm(released, TRACE).await.unwrap(), Rearmed::NothingToDo);
    house.store.heed(&said(other, OperatorWord::Settled, None)).await.unwrap();
    assert_eq!(house.payment(sold.payment).await.state.money_state, MoneyState::Moved);
    let closed = "select bool_and(closed_at is not null) from cases where kind = 'books_disagree'";
    assert_eq!(house.ask(closed).await, "true");
    let log = "select string_agg(action, ' ' order by id) from audit_log";
    assert_eq!(house.ask(log).await, "operation.settled operation.released operation.settled");
    let word = house.store.word_about(settled).await.unwrap().unwrap();
    assert_eq!(
        (word.operator.as_str(), word.transaction_key.as_deref(), word.version),
        ("kim", Some("T-1"), payment.version)
    );
    house.leave().await;
}

/// While what was sent can still be asked after, nobody's word takes its place.
#[tokio::test]
async fn a_word_does_not_take_the_place_of_an_answer() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    assert_eq!(house.store.heed(&said(operation, OperatorWord::Settled, None)).await.unwrap(), Heeded::NothingToDo);
    disputed(&house, operation).await;
    house.run("update attempts set resolution = null where call = 'cancel'").await;
    for word in [OperatorWord::Settled, OperatorWord::Released] {
        assert_eq!(house.store.heed(&said(operation, word, None)).await.unwrap(), Heeded::StillOpen);
    }
    let nobody = OperationId(Uuid::now_v7());
    assert_eq!(house.store.heed(&said(nobody, OperatorWord::Settled, None)).await.unwrap(), Heeded::NothingToDo);
    assert_eq!(house.ask("select count(*) from operator_words").await, "0");
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
