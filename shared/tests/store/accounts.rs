//! Accounts to pay into: what goes back of a deposit goes once, and to where it was said last.

use naru_shared::domain::attempt::{
    Answer, ApprovalFacts, Call, ChangeAnswer, ChangeFacts, ChangeRefusal, InquiryAnswer, RefusedBecause,
};
use naru_shared::domain::bank::Bank;
use naru_shared::domain::course::{CaseKind, Claimed, Next, Step};
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::{AttemptId, OperationId, PayeeId, PaymentId, Reference};
use naru_shared::domain::instrument::Instrument;
use naru_shared::domain::operation::{OperationKind, OperationStatus};
use naru_shared::domain::operator::OperatorWord;
use naru_shared::domain::payment::{PaymentSource, PaymentState, Work};
use naru_shared::domain::virtual_account::{Account, AccountEvent, AccountFacts, FoundDeposit, Payee, VirtualAccount};
use naru_shared::store::{Advanced, FoundOut, Heeded, Late, NewAttempt, Outcome, PayeeGiven, Rearmed, Recorded, Said};
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

/// The operation that had the account of a payment opened, and its attempt.
async fn issued(house: &House, payment: PaymentId) -> OperationId {
    let id = OperationId(Uuid::now_v7());
    house
        .run(format!(
            "insert into operations (id, payment_id, number, kind, connector, amount, deadline_at, trace_parent, status, result,
                result_version, settled_at, nudge_at)
            values ('{id}', '{payment}', 0, 'issue_account', 'virtual_account', 15000, now(), '{TRACE_PARENT}', 'succeeded',
                '{{\"outcome\":\"succeeded\"}}', 1, now(), null)"
        ))
        .await;
    house
        .run(format!(
            "insert into attempts (id, operation_id, call, reference, fence, worker, resolution)
            values (gen_random_uuid(), '{id}', 'issue', 'va-1', 1, '{}', 'approved')",
            house.worker.0
        ))
        .await;
    id
}

/// A look finds that the payer's bank has taken a deposit back.
async fn taken_back(house: &House, payment: PaymentId, key: &str) {
    let payment = house.payment(payment).await;
    let event = PaymentEvent::Account(AccountEvent::TakenBack { key: key.into() });
    let next = payment.state.on(&event).unwrap();
    let change = FoundOut {
        payment: &payment,
        next: &next,
        event: &event,
        reference: &Reference("va-1".into()),
        fact: None,
        transaction: OperationId(Uuid::now_v7()),
        owes: None,
        trace_parent: TRACE_PARENT,
        trace_id: TRACE,
    };
    assert!(house.store.record_finding(&change).await.unwrap().is_some());
}

const CASES: &str =
    "select string_agg(c.reference || ' ' || c.kind || ' ' || (c.closed_at is null) || ' ' || o.kind || ' '
    || coalesce(o.letter || ' ' || o.letter_reason, ''), ', ' order by c.opened_at)
    from cases c join operations o on o.id = c.operation_id";

/// It was paid out, and its payer's bank has it, too: whoever records it tells a person, however much was known when it was claimed.
#[tokio::test]
async fn a_return_that_is_recorded_after_its_deposit_was_taken_back_is_booked_and_a_persons() {
    for is_known in [false, true] {
        let house = House::enter().await;
        let (payment, returns) = owes(&house, 2).await;
        let _ = issued(&house, payment).await;
        let (claimed, reference, id) = sent(&house, returns[0]).await;
        taken_back(&house, payment, "d0").await;
        assert_eq!(house.ask("select count(*) from cases").await, "0", "nobody has heard that it went back");
        let outcome = if is_known {
            let claimed = taken_over(&house, returns[0]).await;
            let made = ApprovalFacts { money: Some(won(5_000)), number: String::new(), interest_payer: None };
            let now = claimed.operation.created_at;
            let made = InquiryAnswer::Approved(made);
            let step = claimed.after_change_inquiry(&reference, &made, now, now, &mut two_seconds);
            Outcome::new(&claimed, decision(step), None, TRACE.into())
        } else {
            let now = claimed.operation.created_at;
            let step = claimed.after_change(Call::Return, &reference, &done(), now, &mut two_seconds);
            let answered = answered(id, &Answer::Change(Call::Return, done()));
            Outcome::new(&claimed, decision(step), Some(answered), TRACE.into())
        };
        assert!(!outcome.decision.looks, "another one is still to go");
        house.store.record_batch(std::slice::from_ref(&outcome)).await.unwrap_err();
        let recorded = house.store.record_one(&outcome).await.unwrap();
        assert!(matches!(recorded, Recorded::Stands { .. }), "{recorded:?}");
        let deposits = house.payment(payment).await.state.deposits;
        assert_eq!((deposits[0].lost, deposits[0].work.is_none(), deposits[1].lost), (5_000, true, 0));
        let returnable =
            "select sum(case when debit = 'returnable' then amount when credit = 'returnable' then -amount end)::text
            from postings";
        assert_eq!(house.ask(returnable).await, "0", "two came in, one was taken back, and one went");
        assert_eq!(house.ask(CASES).await, "d0 books_disagree true issue_account needs_person BOOKS_DISAGREE");
        house.leave().await;
    }
}

fn said(operation: OperationId, word: OperatorWord) -> Said<'static> {
    let (operator, reason) = ("kim", "settled with the bank");
    Said { operation, word, operator, reason, transaction_key: None, address: None, trace_id: TRACE, request: TRACE }
}

/// A return that nobody could make any more, and an operator who has made it by hand after its deposit was taken back.
#[tokio::test]
async fn what_was_returned_by_hand_and_taken_back_is_booked_looked_at_and_a_persons() {
    let house = House::enter().await;
    let (payment, returns) = owes(&house, 1).await;
    let _ = issued(&house, payment).await;
    let claimed = house.claims(house.worker, returns[0]).await.unwrap();
    house.store.record_batch(&[dies(&claimed)]).await.unwrap();
    taken_back(&house, payment, "d0").await;
    house.run(format!("insert into account_looks values ('va-1', '{payment}', now() + interval '6 hours', 9)")).await;
    let heeded = house.store.heed(&said(returns[0], OperatorWord::Settled)).await.unwrap();
    assert!(matches!(heeded, Heeded::Booked { .. }), "{heeded:?}");
    assert_eq!(house.payment(payment).await.state.deposits[0].lost, 5_000);
    assert_eq!(
        house.ask("select string_agg(kind, ' ' order by version) from postings").await,
        "DEPOSIT DEPOSIT_ERROR RETURN"
    );
    assert_eq!(house.ask(CASES).await, "d0 books_disagree true issue_account needs_person BOOKS_DISAGREE");
    assert_eq!(house.ask("select (look_at <= now()) || ' ' || looks from account_looks").await, "true 0");
    house.leave().await;
}

/// A person says that they have dealt with what is wrong with an account, or wants it looked at again.
#[tokio::test]
async fn the_cases_of_an_account_are_dealt_with_or_looked_at_again() {
    let house = House::enter().await;
    let (payment, _) = owes(&house, 1).await;
    let issue = issued(&house, payment).await;
    let account = Reference("va-1".into());
    let settled = || said(issue, OperatorWord::Settled);
    let nothing = Heeded::NothingToDo;
    assert_eq!(house.store.heed(&settled()).await.unwrap(), nothing, "nothing is wrong");
    assert_eq!(house.store.rearm(issue, TRACE).await.unwrap(), Rearmed::NothingToDo);

    // What no look finds again ends with their word, for good.
    let of_another = "deposit_of_another_payment";
    let opens =
        async || house.store.open_account_case(&account, "d7", CaseKind::BooksDisagree, of_another).await.unwrap();
    assert!(opens().await);
    let no_headers = serde_json::json!({});
    house.store.archive_letter(Uuid::now_v7(), issue, "BOOKS_DISAGREE", None, None, &no_headers).await.unwrap();
    assert_eq!(house.store.resolve_settled_letters(10).await.unwrap(), 0, "its case is open");
    assert_eq!(house.store.rearm(issue, TRACE).await.unwrap(), Rearmed::NothingToDo, "no look tells more");
    assert_eq!(house.store.heed(&said(issue, OperatorWord::Released)).await.unwrap(), nothing);
    let before = house.payment(payment).await;
    let heeded = house.store.heed(&settled()).await.unwrap();
    assert_eq!(heeded, Heeded::Booked { version: before.version, state: Box::new(before.state.clone()) });
    assert_eq!(house.payment(payment).await, before, "of the payment nothing changed");
    let open = "select (select count(*) from cases where closed_at is null) || ' '
        || (select count(*) from dead_letters where resolved_at is null) || ' ' || (select max(resolution) from dead_letters)";
    assert_eq!(house.ask(open).await, "0 0 settled");
    assert_eq!(house.store.heed(&settled()).await.unwrap(), nothing, "once");
    assert!(!opens().await, "it is dealt with, however often it is found");
    let log = "select string_agg(action || ' ' || (subject = operation_id::text), ', ') from audit_log, operator_words";
    assert_eq!(house.ask(log).await, "operation.settled true");

    // What a look compares is open again as long as it is so, and looked at when somebody wants that.
    let balance =
        async || house.store.open_account_case(&account, "va-1", CaseKind::BooksDisagree, "balance").await.unwrap();
    let looks = "select coalesce(string_agg(reference || ' ' || (look_at <= now()), ''), '-') from account_looks";
    assert!(balance().await && !balance().await);
    assert_eq!(house.ask(looks).await, "-");
    assert_eq!(house.store.rearm(issue, TRACE).await.unwrap(), Rearmed::Yes);
    assert_eq!(house.ask(looks).await, "va-1 true", "though nobody looked any more");
    assert_eq!(
        house.ask("select count(*) from cases where closed_at is null").await,
        "1",
        "until a look finds all well"
    );
    house.run("update account_looks set look_at = now() + interval '1 hour'").await;
    assert!(matches!(house.store.heed(&settled()).await.unwrap(), Heeded::Booked { .. }));
    assert_eq!(house.ask(looks).await, "va-1 true");
    assert!(balance().await, "the look finds it still");
    let word = house.store.word_about(issue).await.unwrap().unwrap();
    assert_eq!((word.operator.as_str(), word.version), ("kim", before.version));
    assert_eq!(house.ask("select count(*) from operator_words").await, "2");

    // While it is being opened, asking goes on.
    house.run("update operations set status = 'unknown', settled_at = null, result = null, result_version = null, nudge_at = now()
        where kind = 'issue_account'").await;
    assert_eq!(house.store.heed(&settled()).await.unwrap(), nothing);
    house.leave().await;
}

/// A turn of a return that the bank refuses because its books are not as ours. Returns what was decided.
async fn refused(house: &House, operation: OperationId) -> Next {
    house.run("update operations set due_at = now() where status = 'waiting'").await;
    let (claimed, reference, id) = sent(house, operation).await;
    let refusal = ChangeAnswer::Declined(ChangeRefusal { why: RefusedBecause::Disagrees, code: "61".into() });
    let now = claimed.operation.created_at;
    let step = claimed.after_change(Call::Return, &reference, &refusal, now, &mut two_seconds);
    let answered = answered(id, &Answer::Change(Call::Return, refusal));
    let outcome = Outcome::new(&claimed, decision(step), Some(answered), TRACE.into());
    assert!(matches!(house.store.record_one(&outcome).await.unwrap(), Recorded::Stands { .. }));
    outcome.decision.next
}

/// It is looked at some times before it is a person's; and as often again when somebody has sent it back to work.
#[tokio::test]
async fn a_return_that_is_sent_back_to_work_is_looked_at_again_before_it_is_given_up() {
    let house = House::enter().await;
    let (payment, returns) = owes(&house, 1).await;
    // What never came there is no look.
    house.run("update operations set attempt_count = 7").await;
    for again in ["replay", "another account", "done"] {
        for _ in 0..5 {
            assert!(matches!(refused(&house, returns[0]).await, Next::Waiting { .. }), "{again}");
        }
        assert_eq!(refused(&house, returns[0]).await, Next::Dead, "{again}");
        assert_eq!(house.ask("select attempt_count > look_count and look_count = 5 from operations").await, "true");
        match again {
            "replay" => assert_eq!(house.store.rearm(returns[0], TRACE).await.unwrap(), Rearmed::Yes),
            "another account" => drop(gives(&house, payment, &returns).await),
            _ => {}
        }
    }
    house.leave().await;
}
