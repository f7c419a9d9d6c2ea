//! Work that a merchant asks for on a payment that is there: queued in one commit, and waited for.

use naru_shared::domain::connector::Connector;
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::OperationId;
use naru_shared::domain::money::Money;
use naru_shared::domain::operation::OperationKind;
use naru_shared::domain::payment::{Payment, PaymentState};
use naru_shared::store::{Advance, Clock, NewOperation, StoreError};
use time::OffsetDateTime;

use crate::answer::{Accepted, Keyed};
use crate::app::App;
use crate::context::RequestContext;
use crate::hub::Watching;

/// What is asked for, decided on the payment as it was read.
pub(super) struct Asked<'a> {
    /// The payment.
    pub(super) payment: &'a Payment,
    /// That it is queued.
    pub(super) event: PaymentEvent,
    /// How the payment stands then.
    pub(super) next: PaymentState,
    /// The work.
    pub(super) operation: OperationId,
    /// What it is.
    pub(super) kind: OperationKind,
    /// Who carries it out.
    pub(super) connector: Connector,
    /// How much it is about.
    pub(super) amount: Money,
    /// Nothing is sent after this, if that is sooner than its kind allows.
    pub(super) before: Option<OffsetDateTime>,
}

/// What became of asking.
pub(super) enum Queued<'a> {
    /// It is queued: what is waited for, and with what.
    Accepted(Watching, Accepted<'a>),
    /// Somebody moved the payment on first, or its time ran out: read it again.
    Overtaken,
    /// The same request was faster: its key tells what it came to.
    KeyUsed,
}

/// Queues it, if the payment still stands as it was read, and hints at it, if it is its turn.
///
/// # Errors
/// When Postgres can't be reached, or refuses.
pub(super) async fn queue<'a>(
    app: &App,
    context: &RequestContext,
    keyed: Option<&Keyed>,
    asked: Asked<'a>,
) -> Result<Queued<'a>, StoreError> {
    let Asked { payment, event, next, operation, kind, connector, amount, before } = asked;
    // To miss nothing: watch, then accept.
    let watching = app.hub.watch(payment.id);
    let trace_parent = context.trace.to_header();
    let trace_id = context.trace.trace_hex();
    let change = Advance {
        payment,
        next: &next,
        event: &event,
        clock: Clock::InTime,
        operation: Some(NewOperation { id: operation, kind, connector, amount, before, trace_parent: &trace_parent }),
        key: keyed.map(|keyed| &*keyed.key),
        trace_id: &trace_id,
    };
    match app.store.advance_payment(&change).await {
        Ok(Some(advanced)) => {
            // Behind other work of the payment, its turn is told by whoever settles that.
            if !payment.state.is_busy() {
                app.hint(operation, connector, kind, advanced.at, context.trace);
            }
            let (key, order_id) = (&payment.key, &payment.order_id);
            Ok(Queued::Accepted(watching, Accepted { operation, key, order_id, seen: advanced.version }))
        }
        Ok(None) => Ok(Queued::Overtaken),
        Err(error) if error.is_constraint("idempotency_keys_unique") => Ok(Queued::KeyUsed),
        Err(error) => Err(error),
    }
}
