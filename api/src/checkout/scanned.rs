//! `POST /checkout/v1/{checkoutId}/scanned`: the payer's device has opened the checkout.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::clock::Clock as _;
use naru_shared::domain::event::PaymentEvent;
use naru_shared::store::{Advance, Clock};
use naru_shared::system::System;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{CheckoutPayment, find};
use crate::app::App;
use crate::body::OwnBody;
use crate::browser::NoOtherPage;
use crate::context::RequestContext;
use crate::openapi::PayerRefusals;
use crate::problem::Problem;
use crate::unavailable::refuse_payer;

/// Nothing has to be said.
#[derive(Deserialize, ToSchema)]
pub(super) struct ScannedFields {}

/// Tells whoever waits for the payer that their device has opened the checkout: the event `checkout.scanned`, once for a payment.
/// Later, or again, it changes nothing and answers how the payment stands. (Reading alone tells nobody: previews of links read, too.)
#[utoipa::path(
    post,
    path = "/checkout/v1/{checkoutId}/scanned",
    tag = "Checkout",
    request_body = ScannedFields,
    params(("checkoutId" = String, Path, description = "From `checkout.url`")),
    responses((status = 200, description = "As it stands", body = CheckoutPayment), PayerRefusals)
)]
pub(super) async fn scanned(
    State(app): State<App>,
    _: NoOtherPage,
    context: RequestContext,
    Path(checkout_id): Path<String>,
    _body: OwnBody<ScannedFields>,
) -> Result<Json<CheckoutPayment>, Problem> {
    let payment = find(&app, &checkout_id).await?;
    let event = PaymentEvent::Scanned { at: payment.merchant_time(System.now()) };
    let Ok(next) = payment.state.on(&event) else {
        return Ok(Json(CheckoutPayment::of(&app, &payment, context.language)));
    };
    let trace_id = context.trace.trace_hex();
    let change = Advance {
        payment: &payment,
        next: &next,
        event: &event,
        clock: Clock::InTime,
        operation: None,
        key: None,
        trace_id: &trace_id,
    };
    let lost = |error| refuse_payer(&app, &payment.checkout_id, error);
    let now = match app.store.advance_payment(&change).await.map_err(lost)? {
        Some(advanced) => {
            app.wake(payment.id, advanced.version, &next);
            payment.at(advanced.version, next)
        }
        // Another tab was faster, or the payment is further by now: there is nothing left to tell.
        None => find(&app, &checkout_id).await?,
    };
    Ok(Json(CheckoutPayment::of(&app, &now, context.language)))
}
