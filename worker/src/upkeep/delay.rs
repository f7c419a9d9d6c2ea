//! Tells waiting pages that their work takes long: once for each piece of work.

use std::time::Duration;

use naru_shared::bus::Notice;
use naru_shared::domain::event::PaymentEvent;
use naru_shared::store::{Advance, Clock, StoreError};
use naru_shared::system::System;
use naru_shared::telemetry::TraceContext;

use super::{every, next};
use crate::Worker;

const EVERY: Duration = Duration::from_secs(1);
/// What takes longer than this is told. A call that is answered in 5 s is slow and no event.
const AFTER: time::Duration = time::Duration::seconds(6);
/// Payments of one look: when thousands wait, telling them all must not be what they wait for.
const BATCH_MAX: i64 = 50;

pub(super) async fn run(worker: Worker) {
    let mut tick = every(EVERY);
    while next(&worker, &mut tick).await {
        if let Err(error) = tell(&worker).await {
            tracing::warn!(%error, "telling who waits waits for Postgres");
        }
    }
}

async fn tell(worker: &Worker) -> Result<(), StoreError> {
    for payment in worker.store.payments_delayed(AFTER, BATCH_MAX).await? {
        let Some(operation) = payment.state.work().map(|work| work.id) else { continue };
        let event = PaymentEvent::Delayed { operation };
        // Its outcome was faster than we are.
        let Ok(next) = payment.state.on(&event) else { continue };
        // It belongs to the request that asked for the work.
        let row = worker.store.operation(operation).await?;
        let parent = row.as_ref().map(|row| row.trace_parent.as_str());
        let trace_id = TraceContext::continue_or_start(parent, &System).trace_hex();
        let change = Advance {
            payment: &payment,
            next: &next,
            event: &event,
            clock: Clock::Regardless,
            operation: None,
            key: None,
            trace_id: &trace_id,
        };
        if let Some(advanced) = worker.store.advance_payment(&change).await? {
            metrics::counter!("naru_worker_delays_told_total").increment(1);
            tracing::info!(payment = %payment.id, %operation, trace_id, "work takes long");
            let status = next.status().as_str().to_owned();
            worker.bus.publish(&[Notice { payment: payment.id.0, version: advanced.version, status }]).await;
        }
    }
    Ok(())
}
