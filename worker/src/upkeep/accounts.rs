//! Looks at the accounts that payers pay into: when a bank has called back, and otherwise less and less often, so that a
//! deposit is found though every callback was lost. What is found is recorded here, one fact at a time, whatever else is at work
//! on the payment; what is owed for it is queued in the same commit.

use std::time::Duration;

use futures::StreamExt as _;
use naru_shared::acquirer::{HoldsAccounts, Order};
use naru_shared::broker::{Hint, Outgoing, WorkQueue};
use naru_shared::bus::Notice;
use naru_shared::clock::{Clock as _, Ids as _};
use naru_shared::crash::hold_point;
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::OperationId;
use naru_shared::domain::operation::{Connector, OperationStatus, urgency};
use naru_shared::domain::virtual_account::{AccountEvent, AccountFacts, DepositStanding, IssueInquiry, next_look};
use naru_shared::store::{Fact, Found, FoundOut, Look, StoreError};
use naru_shared::system::System;
use naru_shared::telemetry::TraceContext;
use time::OffsetDateTime;

use super::{every, next};
use crate::Worker;

/// How often the table is looked into: a payer who has paid is waiting.
const EVERY: Duration = Duration::from_millis(250);
/// Looks taken at once at most.
const BATCH_MAX: i64 = 64;
/// Banks asked at once at most.
const AT_ONCE: usize = 16;
/// Facts of one look at most; what is left is found by the next.
const FACTS_MAX: usize = 250;

pub(super) async fn run(worker: Worker) {
    let mut tick = every(EVERY);
    while next(&worker, &mut tick).await {
        loop {
            match worker.store.take_looks(BATCH_MAX).await {
                Ok(looks) => {
                    let taken = looks.len();
                    futures::stream::iter(looks).for_each_concurrent(AT_ONCE, |look| attend(&worker, look)).await;
                    if i64::try_from(taken).unwrap_or(0) < BATCH_MAX || worker.shutdown.is_cancelled() {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "looking at accounts waits for Postgres");
                    break;
                }
            }
        }
    }
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
    let breaker = connectors.breaker(Connector::VirtualAccount);
    let Some(bank) = connectors.acquirer(Connector::VirtualAccount).accounts() else { return Ok(()) };
    let began = System.monotonic();
    let now = || look.now + System.monotonic().duration_since(began);
    if !worker.lease.holds() || !breaker.lets_through(began) {
        return Ok(());
    }
    let Some((found, by)) = ask(worker, bank, look, trace, now).await? else {
        return Ok(());
    };
    hold_point("looked").await;
    let mut changed = false;
    for _ in 0..FACTS_MAX {
        match record(worker, look, &found, by, trace, now()).await? {
            Progress::Recorded => changed = true,
            Progress::Again => {}
            Progress::Nothing => break,
        }
    }
    let Some(payment) = worker.store.payments(&[look.payment]).await?.pop() else { return Ok(()) };
    if payment.state.is_done_with(&look.reference, &found, payment.merchant_time(now())) {
        return worker.store.look_no_more(look).await;
    }
    let looks = if changed { 0 } else { look.looks.saturating_add(1) };
    let due_at = payment.state.account.as_ref().map_or(look.now, |account| account.due_at - payment.ahead);
    worker.store.look_again(look, next_look(now(), due_at, looks), looks).await
}

/// What the bank says of the account, and how it came to; nothing when it says nothing that can be used.
async fn ask(
    worker: &Worker,
    bank: &dyn HoldsAccounts,
    look: &Look,
    trace: &TraceContext,
    now: impl Fn() -> OffsetDateTime,
) -> Result<Option<(AccountFacts, Found)>, StoreError> {
    let Some(payment) = worker.store.payments(&[look.payment]).await?.pop() else { return Ok(None) };
    let traceparent = trace.to_header();
    let order = Order { payment: &payment, amount: payment.total, traceparent: &traceparent };
    let looked_at = now();
    let answer = bank.look(order, &look.reference).await;
    let latency_ms = i32::try_from((now() - looked_at).whole_milliseconds()).unwrap_or(i32::MAX);
    let by = Found { called_back_at: look.called_back_at, looked_at, latency_ms };
    let breaker = worker.connectors.breaker(Connector::VirtualAccount);
    breaker.heard(!matches!(answer, IssueInquiry::NoAnswer(_)), System.monotonic());
    let said = match &answer {
        IssueInquiry::Issued(_) => "account",
        IssueInquiry::Declined(_) => "declined",
        IssueInquiry::Pending => "pending",
        IssueInquiry::NotFound => "not_found",
        IssueInquiry::NoAnswer(_) => "no_answer",
    };
    metrics::counter!("naru_worker_account_looks_total", "answer" => said).increment(1);
    match answer {
        IssueInquiry::Issued(mut found) => {
            // What happens at the bank is shown, and late, by the merchant's clock.
            found.deposits.iter_mut().for_each(|deposit| deposit.at = payment.merchant_time(deposit.at));
            Ok(Some((found, by)))
        }
        IssueInquiry::NoAnswer(fault) => {
            tracing::warn!(fault, reference = %look.reference, "the bank does not say what is in an account");
            Ok(None)
        }
        IssueInquiry::Declined(_) | IssueInquiry::Pending | IssueInquiry::NotFound => Ok(None),
    }
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
    found: &AccountFacts,
    by: Found,
    trace: &TraceContext,
    now: OffsetDateTime,
) -> Result<Progress, StoreError> {
    let Some(payment) = worker.store.payments(&[look.payment]).await?.pop() else { return Ok(Progress::Nothing) };
    let operation = OperationId(System.ordered());
    let shown_now = payment.merchant_time(now);
    let Some(finding) = payment.state.finding(&look.reference, found, operation, shown_now) else {
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
        fact: fact(&event, found, by, shown_now),
        owes: finding.owes.as_ref().map(|(kind, amount, target)| (operation, *kind, *amount, target)),
        trace_parent: &trace_parent,
        trace_id: &trace_id,
    };
    let version = match worker.store.record_finding(&change).await {
        Ok(Some(version)) => version,
        Ok(None) => return Ok(Progress::Again),
        // Of another payment: whoever names deposits names them once.
        Err(error) if error.is_constraint("deposits_pkey") => {
            tracing::error!(payment = %payment.id, "a deposit was recorded for another payment");
            return Ok(Progress::Nothing);
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
