//! Cancels, refunds and captures in Postgres: what is reserved under races, whose turn it is, what is posted.

mod accepting;
mod evidence;
mod given_up;

use naru_shared::domain::attempt::{Answer, Because, Call, ChangeAnswer, ChangeFacts};
use naru_shared::domain::cancel::Cancel;
use naru_shared::domain::course::{Claimed, Step};
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::{AttemptId, OperationId, Reference};
use naru_shared::domain::operation::{Connector, OperationKind, OperationStatus};
use naru_shared::domain::payment::{Payment, Work};
use naru_shared::store::{Advance, Advanced, Answered, Clock, NewAttempt, NewOperation, Outcome};
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
