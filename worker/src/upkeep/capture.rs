//! Has the sales slips bought 매입 whose time has come, by their merchants' clocks.

use std::time::Duration;

use naru_shared::broker::{Hint, Outgoing, WorkQueue};
use naru_shared::bus::Notice;
use naru_shared::clock::Ids as _;
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::OperationId;
use naru_shared::domain::instrument::Instrument;
use naru_shared::domain::money::Money;
use naru_shared::domain::operation::{OperationKind, OperationStatus, urgency};
use naru_shared::domain::payment::{Payment, Work};
use naru_shared::store::{Advance, Clock, NewOperation, StoreError};
use naru_shared::system::System;
use naru_shared::telemetry::TraceContext;

use super::{every, next};
use crate::Worker;

const EVERY: Duration = Duration::from_secs(1);
/// Payments of one look. The night's many are spread over as many looks as they take.
const BATCH_MAX: i64 = 200;

pub(super) async fn run(worker: Worker) {
    let mut tick = every(EVERY);
    while next(&worker, &mut tick).await {
        if let Err(error) = capture(&worker).await {
            tracing::warn!(%error, "capture waits for Postgres");
        }
    }
}

async fn capture(worker: &Worker) -> Result<(), StoreError> {
    for payment in worker.store.payments_to_capture(BATCH_MAX).await? {
        queue(worker, &payment).await?;
    }
    Ok(())
}

/// Queues the capture of a payment, if nobody has meanwhile.
async fn queue(worker: &Worker, payment: &Payment) -> Result<(), StoreError> {
    let operation = OperationId(System.ordered());
    let kind = OperationKind::Capture;
    let event = PaymentEvent::CaptureQueued { work: Work::queued(operation, kind) };
    let (Ok(next), Some(connector), Some(amount)) = (
        payment.state.on(&event),
        payment.state.instrument().map(Instrument::connector),
        Money::new(payment.state.balance(payment.total.amount()), payment.total.currency()),
    ) else {
        return Ok(());
    };
    let trace = TraceContext::start(&System);
    let (trace_parent, trace_id) = (trace.to_header(), trace.trace_hex());
    let change = Advance {
        payment,
        next: &next,
        event: &event,
        clock: Clock::InTime,
        operation: Some(NewOperation {
            id: operation,
            kind,
            connector,
            amount,
            before: None,
            trace_parent: &trace_parent,
        }),
        key: None,
        trace_id: &trace_id,
    };
    let Some(advanced) = worker.store.advance_payment(&change).await? else { return Ok(()) };
    tracing::debug!(payment = %payment.id, trace_id, "a capture is queued");
    let queue = WorkQueue::new(connector.as_str(), urgency(kind, OperationStatus::Queued));
    let hint = Hint { operation: operation.0, attempt: 0, due_at: advanced.at, waited: 0 };
    worker.relay.offer(Outgoing::work(queue, &hint).with_traceparent(&trace_parent));
    let status = next.status().as_str().to_owned();
    worker.bus.publish(&[Notice { payment: payment.id.0, version: advanced.version, status }]).await;
    Ok(())
}
