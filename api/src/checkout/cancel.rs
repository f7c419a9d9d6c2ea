//! `POST /checkout/v1/{checkoutId}/cancel`: the payer changes their mind.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::failure::FailureReason;
use naru_shared::domain::id::PayerId;
use naru_shared::domain::payment::{Payment, PaymentStatus, Stage};
use naru_shared::store::{Advance, Clock};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{CheckoutPayment, find};
use crate::app::App;
use crate::body::OwnBody;
use crate::browser::NoOtherPage;
use crate::context::RequestContext;
use crate::openapi::PayerRefusals;
use crate::payer::find_own;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::refuse_payer;

/// How often a lost race is decided again.
const RACES_MAX: usize = 4;

/// Nothing has to be said.
#[derive(Deserialize, ToSchema)]
pub(super) struct CancelFields {}

/// Cancels before paying. Once a confirm was accepted it is too late.
#[utoipa::path(
    post,
    path = "/checkout/v1/{checkoutId}/cancel",
    tag = "Checkout",
    request_body = CancelFields,
    params(("checkoutId" = String, Path, description = "From `checkout.url`")),
    responses(
        (status = 200, description = "Cancelled, now or before: go to `nextUrl`", body = CheckoutPayment),
        PayerRefusals,
    )
)]
pub(super) async fn cancel(
    State(app): State<App>,
    _: NoOtherPage,
    context: RequestContext,
    Path(checkout_id): Path<String>,
    _body: OwnBody<CancelFields>,
) -> Result<Json<CheckoutPayment>, Problem> {
    cancel_before_paying(&app, &context, &checkout_id, None).await
}

/// Cancels a payment, one of this payer's own if it is to be, unless it is too late.
pub(crate) async fn cancel_before_paying(
    app: &App,
    context: &RequestContext,
    checkout_id: &str,
    payer: Option<PayerId>,
) -> Result<Json<CheckoutPayment>, Problem> {
    let event = PaymentEvent::PayerCanceled;
    let trace_id = context.trace.trace_hex();
    for _ in 0..RACES_MAX {
        let payment = match payer {
            None => find(app, checkout_id).await?,
            Some(payer) => find_own(app, payer, checkout_id).await?,
        };
        if is_canceled(&payment) {
            return Ok(Json(CheckoutPayment::of(app, &payment, context.language)));
        }
        let next = payment.state.on(&event).map_err(|_| match payment.state.status() {
            PaymentStatus::Expired => Problem::because(Reason::PaymentExpired),
            PaymentStatus::Ready
            | PaymentStatus::InProgress
            | PaymentStatus::WaitingForDeposit
            | PaymentStatus::Done
            | PaymentStatus::PartialCanceled
            | PaymentStatus::Canceled
            | PaymentStatus::Aborted => Problem::of(Code::AlreadyProcessedPayment),
        })?;
        let change = Advance {
            payment: &payment,
            next: &next,
            event: &event,
            clock: Clock::InTime,
            operation: None,
            key: None,
            trace_id: &trace_id,
        };
        let lost = |error| refuse_payer(app, &payment.checkout_id, error);
        if let Some(advanced) = app.store.advance_payment(&change).await.map_err(lost)? {
            app.wake(payment.id, advanced.version, &next);
            let canceled = payment.at(advanced.version, next);
            return Ok(Json(CheckoutPayment::of(app, &canceled, context.language)));
        }
    }
    Err(Problem::because(Reason::PaymentExpired))
}

fn is_canceled(payment: &Payment) -> bool {
    matches!(&payment.state.stage, Stage::Aborted { failure, .. } if failure.reason == FailureReason::PayerCanceled)
}
