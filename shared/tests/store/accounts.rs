//! Accounts to pay into: what goes back of a deposit goes once, and to where it was said last.

use naru_shared::domain::attempt::{Answer, Call, ChangeAnswer, ChangeFacts, InquiryAnswer};
use naru_shared::domain::bank::Bank;
use naru_shared::domain::course::{Claimed, Step};
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::{AttemptId, OperationId, PayeeId, PaymentId, Reference};
use naru_shared::domain::instrument::Instrument;
use naru_shared::domain::operation::{OperationKind, OperationStatus};
use naru_shared::domain::payment::{PaymentSource, PaymentState, Work};
use naru_shared::domain::virtual_account::{Account, AccountEvent, AccountFacts, FoundDeposit, Payee, VirtualAccount};
use naru_shared::store::{Advanced, FoundOut, Late, NewAttempt, Outcome, PayeeGiven, Recorded};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::house::{House, TRACE, answered, decision, two_seconds, won};

const TRACE_PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn at() -> OffsetDateTime {
    time::macros::datetime!(2026-11-22 12:00 UTC)
}

fn payee() -> Payee {
    Payee { id: PayeeId(Uuid::now_v7()), bank: Bank::Kb, last4: "1234".into(), holder: "Kim".into() }
}

/// A payment that waits for its deposit, and deposits of less, each with its return.
async fn owes(house: &House, deposits: usize) -> (PaymentId, Vec<OperationId>) {
    let (id, reference) = (PaymentId(Uuid::now_v7()), Reference("va-1".into()));
    let due_at = at() + Duration::days(7);
    let terms = VirtualAccount { bank: Bank::Shinhan, customer_name: "Kim".into(), due_at };
    let opens = OperationId(Uuid::now_v7());
    let state =
        PaymentState::issuing(Instrument::VirtualAccount(terms), Work::queued(opens, OperationKind::IssueAccount));
    let (amount, number, reference) = (15_000, "X0000000000001".to_owned(), reference);
    let account = Account { reference, number, amount, due_at, operation: opens, expired: false, closed: false };
    let state = state.on(&PaymentEvent::Account(AccountEvent::Issued { account })).unwrap();
    let state = state.on(&PaymentEvent::Account(AccountEvent::PayeeGiven { payee: payee() })).unwrap();
    house.create(id, "order-1", PaymentSource::VirtualAccount, &state, None, None).await.unwrap();
    let found = (0..deposits).map(|number| FoundDeposit {
        key: format!("d{number}"),
        amount: 5_000,
        depositor_name: "Kim".into(),
        at: at(),
        is_taken_back: false,
    });
    let found = AccountFacts {
        number: "X0000000000001".into(),
        money: Some(won(15_000)),
        is_closed: false,
        balance: 5_000,
        deposits: found.collect(),
    };
    let mut returns = Vec::new();
    for _ in 0..deposits {
        let payment = house.payment(id).await;
        let operation = OperationId(Uuid::now_v7());
        let reference = Reference("va-1".into());
        let finding = payment.state.finding(&reference, &found, operation, at()).unwrap();
        let event = PaymentEvent::Account(finding.event);
        let next = payment.state.on(&event).unwrap();
        let change = FoundOut {
            payment: &payment,
            next: &next,
            event: &event,
            reference: &reference,
            fact: None,
            transaction: operation,
            case: None,
            owes: finding.owes.as_ref().map(|(kind, amount, target)| (operation, *kind, *amount, target)),
            trace_parent: TRACE_PARENT,
            trace_id: TRACE,
        };
        assert!(house.store.record_finding(&change).await.unwrap().is_some());
        returns.push(operation);
    }
    (id, returns)
}

/// Claims a return and writes its pay-out down.
async fn sent(house: &House, operation: OperationId) -> (Claimed, Reference, AttemptId) {
    let claimed = house.claims(house.worker, operation).await.unwrap();
    let step = claimed.first_step(claimed.operation.created_at, &mut two_seconds);
    assert_eq!(step, Step::Change { call: Call::Return, again: None });
    let id = AttemptId(Uuid::now_v7());
    let reference = Reference::of(id);
    let to = claimed.payment.state.payee.as_ref().unwrap().id;
    assert!(house.store.begin_pay_out(&attempt(house, &claimed, id, &reference), to).await.unwrap().is_some());
    assert_eq!(house.store.payee_of(&reference).await.unwrap(), Some(to));
    (claimed, reference, id)
}

fn attempt<'a>(house: &House, claimed: &Claimed, id: AttemptId, reference: &'a Reference) -> NewAttempt<'a> {
    let (operation, fence) = (claimed.operation.id, claimed.operation.fence);
    NewAttempt { id, operation, fence, worker: house.worker, call: Call::Return, reference, because: None }
}

async fn taken_over(house: &House, operation: OperationId) -> Claimed {
    house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;
    let mut claimed = house.claims(house.worker, operation).await.unwrap();
    claimed.manners.dedupes_by_reference = false;
    claimed
}

/// "Not found", when that can be believed.
fn not_found(claimed: &Claimed, reference: &Reference) -> Outcome {
    let later = claimed.operation.created_at + Duration::minutes(1);
    let step = claimed.after_change_inquiry(reference, &InquiryAnswer::NotFound, later, later, &mut two_seconds);
    Outcome::new(claimed, decision(step), None, TRACE.into())
}

fn done() -> ChangeAnswer {
    ChangeAnswer::Done(ChangeFacts { money: Some(won(5_000)) })
}

#[tokio::test]
async fn a_return_of_which_somebody_heard_that_it_was_made_is_not_made_again() {
    let house = House::enter().await;
    let (_, returns) = owes(&house, 1).await;
    let (_, reference, id) = sent(&house, returns[0]).await;
    let claimed = taken_over(&house, returns[0]).await;
    let another = AttemptId(Uuid::now_v7());
    let under_another = Reference::of(another);
    let begun = house.store.begin_attempt(&attempt(&house, &claimed, another, &under_another)).await.unwrap();
    assert_eq!(begun, None, "one is open");
    let early = answered(id, &Answer::Change(Call::Return, done()));
    assert_eq!(house.store.answer_attempt(&early, TRACE).await.unwrap(), Late::Kept);
    assert_eq!(house.store.record_one(&not_found(&claimed, &reference)).await.unwrap(), Recorded::Doubted);
    assert_eq!(house.ask("select count(*) from cases where kind = 'late_change'").await, "1");
    assert_eq!(house.ask("select status from operations where kind = 'return_deposit'").await, "unknown");
    house.leave().await;
}

#[tokio::test]
async fn a_return_that_is_heard_of_late_is_asked_after_before_it_is_made_again() {
    let house = House::enter().await;
    let (_, returns) = owes(&house, 1).await;
    let (_, reference, id) = sent(&house, returns[0]).await;
    let claimed = taken_over(&house, returns[0]).await;
    let recorded = house.store.record_one(&not_found(&claimed, &reference)).await.unwrap();
    assert!(matches!(recorded, Recorded::Stands { late: Late::Nothing, .. }), "{recorded:?}");
    let late = answered(id, &Answer::Change(Call::Return, done()));
    assert_eq!(house.store.answer_attempt(&late, TRACE).await.unwrap(), Late::Case);
    let claimed = house.claims(house.worker, returns[0]).await.unwrap();
    let step = claimed.first_step(claimed.operation.created_at, &mut two_seconds);
    assert_eq!(step, Step::Inquire { reference }, "nothing is sent under another name");
    house.leave().await;
}

async fn gives(house: &House, payment: PaymentId, returns: &[OperationId]) -> Advanced {
    let payment = house.payment(payment).await;
    let payee = payee();
    let id = payee.id;
    let event = PaymentEvent::Account(AccountEvent::PayeeGiven { payee });
    let next = payment.state.on(&event).unwrap();
    let (sealed, key, trace_id) = (&[7; 40][..], None, TRACE);
    let given = PayeeGiven { payment: &payment, next: &next, event: &event, id, sealed, returns, key, trace_id };
    house.store.give_payee(&given).await.unwrap().unwrap()
}

/// What a claim comes to that finds its account no good.
fn dies(claimed: &Claimed) -> Outcome {
    let step = claimed.payee_lost(claimed.operation.created_at);
    Outcome::new(claimed, decision(step), None, TRACE.into())
}

#[tokio::test]
async fn a_return_that_dies_of_an_account_that_was_corrected_meanwhile_goes_on() {
    let house = House::enter().await;
    let (payment, returns) = owes(&house, 1).await;
    let claimed = house.claims(house.worker, returns[0]).await.unwrap();
    gives(&house, payment, &[]).await;
    let outcome = dies(&claimed);
    house.store.record_batch(std::slice::from_ref(&outcome)).await.unwrap_err();
    let recorded = house.store.record_one(&outcome).await.unwrap();
    let Recorded::Stands { next, .. } = recorded else { panic!("{recorded:?}") };
    assert_eq!(next.iter().map(|hint| hint.operation).collect::<Vec<_>>(), returns);
    let state = house.payment(payment).await.state;
    let work = state.deposits[0].work.as_ref().unwrap();
    assert_eq!(work.status, OperationStatus::Waiting);
    assert_eq!(house.ask("select status || coalesce(letter, '') from operations").await, "waiting");
    // Of the one that it is then claimed with it may die.
    let claimed = house.claims(house.worker, returns[0]).await.unwrap();
    house.store.record_batch(&[dies(&claimed)]).await.unwrap();
    assert_eq!(house.ask("select status || ' ' || letter from operations").await, "dead needs_person");
    house.leave().await;
}

#[tokio::test]
async fn saying_where_to_sends_all_that_waited_back_to_work_behind_what_is_at_work() {
    let house = House::enter().await;
    let (payment, returns) = owes(&house, 3).await;
    for operation in &returns[..2] {
        let claimed = house.claims(house.worker, *operation).await.unwrap();
        house.store.record_batch(&[dies(&claimed)]).await.unwrap();
    }
    let claimed = house.claims(house.worker, returns[2]).await.unwrap();
    gives(&house, payment, &returns[..2]).await;
    assert_eq!(
        house.ask("select string_agg(number || ' ' || status, ', ' order by number) from operations").await,
        "3 processing, 4 queued, 5 queued"
    );
    assert!(house.claims(house.worker, returns[0]).await.is_none(), "another is under way");
    assert_eq!(house.payment(payment).await.operation_count, 5);
    let one_commit = "select count(distinct t.tx) = 1 from (select xmin::text as tx from payments
        union all select xmin::text from operations where status = 'queued' union all select xmin::text from sealed_payees
        union all select tx::text from payment_events where type = 'deposit.refund_account_given') t";
    assert_eq!(house.ask(one_commit).await, "true");
    // It goes on with the account that was said, and they follow.
    house.store.record_one(&dies(&claimed)).await.unwrap();
    assert!(
        house.claims(house.worker, returns[0]).await.is_none()
            && house.claims(house.worker, returns[2]).await.is_some()
    );
    house.leave().await;
}
