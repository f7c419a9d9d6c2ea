//! Ends payments whose time has run out, by their merchants' clocks.

use std::time::Duration;

use naru_shared::bus::Notice;
use naru_shared::domain::event::PaymentEvent;
use naru_shared::store::{Advance, Clock, StoreError};
use naru_shared::system::System;
use naru_shared::telemetry::TraceContext;

use super::{every, next};
use crate::Worker;

const EVERY: Duration = Duration::from_secs(1);
const BATCH_MAX: i64 = 100;

pub(super) async fn run(worker: Worker) {
    let mut tick = every(EVERY);
    while next(&worker, &mut tick).await {
        if let Err(error) = expire(&worker).await {
            tracing::warn!(%error, "expiry waits for Postgres");
        }
    }
}

async fn expire(worker: &Worker) -> Result<(), StoreError> {
    let event = PaymentEvent::Expired;
    for payment in worker.store.payments_to_expire(BATCH_MAX).await? {
        // A payment on which something has happened meanwhile takes the event no more: leave it.
        let Ok(next) = payment.state.on(&event) else { continue };
        let trace_id = TraceContext::start(&System).trace_hex();
        let change = Advance {
            payment: &payment,
            next: &next,
            event: &event,
            clock: Clock::Over,
            operation: None,
            key: None,
            trace_id: &trace_id,
        };
        if let Some(advanced) = worker.store.advance_payment(&change).await? {
            tracing::info!(payment = %payment.id, trace_id, "a payment ran out of time");
            let status = next.status().as_str().to_owned();
            worker.bus.publish(&[Notice { payment: payment.id.0, version: advanced.version, status }]).await;
        }
    }
    Ok(())
}
