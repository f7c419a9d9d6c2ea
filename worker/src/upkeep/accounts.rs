//! Looks at the accounts that payers pay into: when a bank has called back, and otherwise less and less often, so that a
//! deposit is found though every callback was lost. What is found is recorded here, one fact at a time, whatever else is at work
//! on the payment; what is owed for it is queued in the same commit.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use naru_shared::acquirer::{HoldsAccounts, Order};
use naru_shared::broker::{Hint, Outgoing, WorkQueue};
use naru_shared::bus::Notice;
use naru_shared::clock::{Clock as _, Ids as _};
use naru_shared::crash::hold_point;
use naru_shared::domain::course::CaseKind;
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::OperationId;
use naru_shared::domain::operation::{Connector, OperationStatus, urgency};
use naru_shared::domain::payment::Payment;
use naru_shared::domain::virtual_account::{AccountEvent, AccountFacts, DepositStanding, IssueInquiry, next_look};
use naru_shared::store::{Fact, Found, FoundOut, Look, StoreError};
use naru_shared::system::System;
use naru_shared::telemetry::TraceContext;
use time::OffsetDateTime;

use super::{every, next};
use crate::Worker;

/// How often the table is looked into: a payer who has paid is waiting.
const EVERY: Duration = Duration::from_millis(250);
/// Looks under way at once at most: one whose bank is slow holds up no other.
const AT_ONCE: usize = 32;
/// Facts of one look at most; what is left is found by the next.
const FACTS_MAX: usize = 250;
/// The longest that an account is not looked at because looking at it fails.
const FAILED_LOOK_MAX: time::Duration = time::Duration::minutes(10);
/// A person is told when looks at an account have failed so often, and for so many seconds.
const FAILURES_BEFORE_A_CASE: i32 = 6;
const FAILING_BEFORE_A_CASE: f64 = 600.0;

pub(super) async fn run(worker: Worker) {
    let mut tick = every(EVERY);
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            goes_on = next(&worker, &mut tick) => if !goes_on { break },
            Some(()) = under_way.next() => {}
        }
        let free = AT_ONCE - under_way.len();
        if free == 0 {
            continue;
        }
        match worker.store.take_looks(i64::try_from(free).unwrap_or(1)).await {
            Ok(looks) => looks.into_iter().for_each(|look| under_way.push(attend(&worker, look))),
            Err(error) => tracing::warn!(%error, "looking at accounts waits for Postgres"),
        }
    }
    while under_way.next().await.is_some() {}
}

async fn attend(worker: &Worker, look: Look) {
    // Whatever is found in an account belongs to the story of the request that had it opened.
    let trace = TraceContext::continue_or_start(look.trace_parent.as_deref(), &System).step(&System);
    if let Err(error) = look_at(worker, &look, &trace).await {
        // Half a minute later somebody looks again.
        tracing::warn!(%error, reference = %look.reference, "a look at an account came to nothing");
    }
}

async fn look_at(worker: &Worker, look: &Look, trace: &TraceContext) -> Result<(), StoreError> {
    let connectors = &worker.connectors;
    let Some(bank) = connectors.acquirer(Connector::VirtualAccount).accounts() else { return Ok(()) };
    let began = System.monotonic();
    let now = || look.now + System.monotonic().duration_since(began);
    if !worker.lease.holds() {
        return Ok(());
    }
    // Not by what was so when the look was taken, nor when it was answered: the bank says what was so in between.
    let asked = now();
    let Some(payment) = worker.store.payments(&[look.payment]).await?.pop() else {
        return worker.store.look_no_more(look).await;
    };
    if !connectors.breaker(Connector::VirtualAccount, payment.tenant.mode).lets_through(System.monotonic()) {
        return Ok(());
    }
    let mut found = match ask(worker, bank, look, &payment, trace).await {
        Answered::Found(found) => found,
        Answered::Nothing(why) => return failed(worker, look, now(), why).await,
        Answered::NoSuchAccount(why) => return no_such_account(worker, look, &payment, (asked, now()), why).await,
    };
    let latency_ms = i32::try_from((now() - asked).whole_milliseconds()).unwrap_or(i32::MAX);
    let by = Found { called_back_at: look.called_back_at, looked_at: asked, latency_ms };
    hold_point("looked").await;
    let mut changed = false;
    for _ in 0..FACTS_MAX {
        match record(worker, look, &mut found, by, trace, now()).await? {
            Progress::Recorded => changed = true,
            Progress::Again => {}
            Progress::Nothing => break,
        }
    }
    let before = payment.version;
    let Some(payment) = worker.store.payments(&[look.payment]).await?.pop() else { return Ok(()) };
    let mut fine = Vec::new();
    if payment.state.overflows(&look.reference, &found) {
        person(worker, look, look.reference.as_str(), CaseKind::AccountUnread, "too_many_deposits").await?;
    } else {
        fine.push(CaseKind::AccountUnread);
    }
    // Only of one moment: nothing happened to the payment since the bank was asked.
    if payment.version == before {
        if payment.state.disagrees(&look.reference, &found) {
            person(worker, look, look.reference.as_str(), CaseKind::BooksDisagree, "balance").await?;
        } else if !payment.state.has_unsettled_work() {
            fine.push(CaseKind::BooksDisagree);
        }
    }
    worker.store.close_account_cases(&look.reference, &fine).await?;
    if payment.state.is_done_with(&look.reference, &found, payment.merchant_time(asked)) {
        return worker.store.look_no_more(look).await;
    }
    let looks = if changed { 0 } else { look.looks.saturating_add(1) };
    let due_at = payment.state.account.as_ref().map_or(look.now, |account| account.due_at - payment.ahead);
    worker.store.look_again(look, next_look(now(), due_at, looks), looks).await
}

/// What the bank said.
enum Answered {
    /// This is in it.
    Found(AccountFacts),
    /// Nothing that can be used, and why in a word.
    Nothing(&'static str),
    /// That it never opened such an account.
    NoSuchAccount(&'static str),
}

/// What the bank says of the account.
async fn ask(
    worker: &Worker,
    bank: &dyn HoldsAccounts,
    look: &Look,
    payment: &Payment,
    trace: &TraceContext,
) -> Answered {
    let traceparent = trace.to_header();
    let order = Order { payment, amount: payment.total, traceparent: &traceparent };
    let answer = bank.look(order, &look.reference).await;
    let breaker = worker.connectors.breaker(Connector::VirtualAccount, payment.tenant.mode);
    breaker.heard(!matches!(answer, IssueInquiry::NoAnswer(_)), System.monotonic());
    let (said, heard) = match answer {
        IssueInquiry::Issued(mut found) => {
            // What happens at the bank is shown, and late, by the merchant's clock.
            found.deposits.iter_mut().for_each(|deposit| deposit.at = payment.merchant_time(deposit.at));
            ("account", Answered::Found(found))
        }
        IssueInquiry::Declined(_) => ("declined", Answered::NoSuchAccount("declined")),
        IssueInquiry::NotFound => ("not_found", Answered::NoSuchAccount("not_found")),
        IssueInquiry::Pending => ("pending", Answered::Nothing("pending")),
        IssueInquiry::NoAnswer(fault) => {
            tracing::warn!(fault, reference = %look.reference, "the bank does not say what is in an account");
            ("no_answer", Answered::Nothing("no_answer"))
        }
    };
    metrics::counter!("naru_worker_account_looks_total", "answer" => said).increment(1);
    heard
}

/// Looks again later and later, and tells a person when that has come to nothing for long.
async fn failed(worker: &Worker, look: &Look, now: OffsetDateTime, why: &str) -> Result<(), StoreError> {
    let doublings = u32::try_from(look.failures.clamp(0, 8)).unwrap_or(0);
    let again = now + (time::Duration::seconds(15) * 2_i32.pow(doublings)).min(FAILED_LOOK_MAX);
    let failing_for = worker.store.look_failed(look, again).await?;
    if look.failures + 1 >= FAILURES_BEFORE_A_CASE && failing_for >= FAILING_BEFORE_A_CASE {
        person(worker, look, look.reference.as_str(), CaseKind::AccountUnread, why).await?;
    }
    Ok(())
}

/// The bank knows of no such account. When that can be believed nobody looks any more; that it forgot one which we know it
/// opened can't be.
async fn no_such_account(
    worker: &Worker,
    look: &Look,
    payment: &Payment,
    (asked, now): (OffsetDateTime, OffsetDateTime),
    why: &str,
) -> Result<(), StoreError> {
    let is_own = payment.state.account.as_ref().is_some_and(|account| account.reference == look.reference);
    let manners = worker.connectors.acquirer(Connector::VirtualAccount).manners();
    let sent_at = worker.store.asked_for_account(&look.reference).await?;
    let is_believable = sent_at.is_none_or(|sent_at| asked >= manners.believable_at(sent_at));
    if is_believable && !is_own && payment.state.operation.is_none() {
        return worker.store.look_no_more(look).await;
    }
    failed(worker, look, now, why).await
}

/// Opens a case, with a letter, if there is none yet.
async fn person(worker: &Worker, look: &Look, about: &str, kind: CaseKind, why: &str) -> Result<(), StoreError> {
    if worker.store.open_account_case(&look.reference, about, kind, why).await? {
        tracing::warn!(reference = %look.reference, about, kind = kind.as_str(), why, "a person has to see to an account");
    }
    Ok(())
}

enum Progress {
    /// One fact more is known.
    Recorded,
    /// Something else happened to the payment meanwhile.
    Again,
    /// All of it is known.
    Nothing,
}

/// Records the next thing that is not known yet, if there is one.
async fn record(
    worker: &Worker,
    look: &Look,
    found: &mut AccountFacts,
    by: Found,
    trace: &TraceContext,
    now: OffsetDateTime,
) -> Result<Progress, StoreError> {
    let Some(payment) = worker.store.payments(&[look.payment]).await?.pop() else { return Ok(Progress::Nothing) };
    if payment.state.deposits_gone > 0 {
        // What went back long ago is not listed any more, and no news.
        let recorded = worker.store.deposits_of(payment.id).await?;
        let is_listed = |key: &str| payment.state.deposits.iter().any(|deposit| deposit.key == key);
        found.deposits.retain(|deposit| !recorded.contains(&deposit.key) || is_listed(&deposit.key));
    }
    let operation = OperationId(System.ordered());
    let shown_asked = payment.merchant_time(by.looked_at);
    let Some(finding) = payment.state.finding(&look.reference, found, operation, shown_asked) else {
        return Ok(Progress::Nothing);
    };
    let event = PaymentEvent::Account(finding.event);
    let next = match payment.state.on(&event) {
        Ok(next) => next,
        Err(error) => {
            tracing::error!(%error, payment = %payment.id, "a payment does not take what was found");
            return Ok(Progress::Nothing);
        }
    };
    let (trace_parent, trace_id) = (trace.to_header(), trace.trace_hex());
    let change = FoundOut {
        payment: &payment,
        next: &next,
        event: &event,
        reference: &look.reference,
        fact: fact(&event, found, by, shown_asked),
        transaction: operation,
        owes: finding.owes.as_ref().map(|(kind, amount, target)| (operation, *kind, *amount, target)),
        trace_parent: &trace_parent,
        trace_id: &trace_id,
    };
    let version = match worker.store.record_finding(&change).await {
        Ok(Some(version)) => version,
        Ok(None) => return Ok(Progress::Again),
        // Of another payment: whoever names deposits names them once.
        Err(error) if error.is_constraint("deposits_pkey") => {
            let Some(key) = about(&event) else { return Ok(Progress::Nothing) };
            person(worker, look, key, CaseKind::BooksDisagree, "deposit_of_another_payment").await?;
            found.deposits.retain(|deposit| deposit.key != key);
            return Ok(Progress::Again);
        }
        Err(error) => return Err(error),
    };
    tracing::info!(payment = %payment.id, event = event.name(), trace_id, "found by looking at an account");
    metrics::counter!("naru_worker_account_findings_total", "event" => event.name()).increment(1);
    if let Some((kind, _, _)) = finding.owes {
        let queue = WorkQueue::new(Connector::VirtualAccount.as_str(), urgency(kind, OperationStatus::Queued));
        let hint = Hint { operation: operation.0, attempt: 0, due_at: now, waited: 0 };
        worker.relay.offer(Outgoing::work(queue, &hint).with_traceparent(&trace_parent));
    }
    let status = next.status().as_str().to_owned();
    worker.bus.publish(&[Notice { payment: payment.id.0, version, status }]).await;
    Ok(Progress::Recorded)
}

/// The deposit that an event is about.
fn about(event: &PaymentEvent) -> Option<&str> {
    let PaymentEvent::Account(event) = event else { return None };
    match event {
        AccountEvent::Deposited { deposit, .. } => Some(&deposit.key),
        AccountEvent::TakenBack { key } => Some(key),
        AccountEvent::Issued { .. }
        | AccountEvent::PayeeGiven { .. }
        | AccountEvent::Returned { .. }
        | AccountEvent::NothingToReturn { .. }
        | AccountEvent::Overdue
        | AccountEvent::CloseQueued { .. }
        | AccountEvent::Closed { .. }
        | AccountEvent::NotClosed { .. } => None,
    }
}

/// What goes into the list of deposits.
fn fact<'a>(event: &'a PaymentEvent, found: &AccountFacts, by: Found, now: OffsetDateTime) -> Option<Fact<'a>> {
    let PaymentEvent::Account(event) = event else { return None };
    match event {
        AccountEvent::Deposited { deposit, .. } => Some(Fact {
            key: &deposit.key,
            what: if deposit.standing == DepositStanding::TakenBack { "taken_back" } else { "deposited" },
            amount: deposit.amount,
            at: deposit.deposited_at,
            found: by,
        }),
        AccountEvent::TakenBack { key } => {
            let amount = found.deposits.iter().find(|deposit| deposit.key == *key)?.amount;
            Some(Fact { key, what: "taken_back", amount, at: now, found: by })
        }
        AccountEvent::Issued { .. }
        | AccountEvent::PayeeGiven { .. }
        | AccountEvent::Returned { .. }
        | AccountEvent::NothingToReturn { .. }
        | AccountEvent::Overdue
        | AccountEvent::CloseQueued { .. }
        | AccountEvent::Closed { .. }
        | AccountEvent::NotClosed { .. } => None,
    }
}
