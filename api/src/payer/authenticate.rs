//! `POST /payer/v1/payments/{checkoutId}/authenticate`: the payer says which of the stored cards to pay with, for this payment
//! and no other.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::instrument::{Instrument, Method};
use naru_shared::domain::payment::Payment;
use naru_shared::store::{Advance, Clock};
use serde::Deserialize;
use utoipa::ToSchema;

use super::card::find_card;
use super::session::Payer;
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::browser::OwnPage;
use crate::checkout::{CheckoutPayment, find, in_months, moved_on, refuse_method, refuse_unless_ready};
use crate::context::RequestContext;
use crate::openapi::OwnPaymentRefusals;
use crate::problem::{Code, Problem};
use crate::unavailable::refuse_payer;

/// Which card, and in how many months.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredCardFields {
    /// One of one's own.
    #[schema(example = "card_0b7e5a4c9d3f4e21a6c85d70f1e2b394")]
    card_id: String,
    /// 0 for a single payment, or 2 to 12 months, from 50,000 won and with a credit card.
    card_installment_plan: Option<i64>,
}

/// Authenticates a payment, this once, with a stored card. The merchant then confirms it as any other.
#[utoipa::path(
    post,
    path = "/payer/v1/payments/{checkoutId}/authenticate",
    tag = "Payers",
    request_body = StoredCardFields,
    params(("checkoutId" = String, Path, description = "From `checkout.url`")),
    responses(
        (status = 200, description = "Authenticated: go to `nextUrl`", body = CheckoutPayment),
        OwnPaymentRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn authenticate(
    State(app): State<App>,
    _: OwnPage,
    payer: Payer,
    context: RequestContext,
    Path(checkout_id): Path<String>,
    body: OwnBody<StoredCardFields>,
) -> Result<Json<CheckoutPayment>, Problem> {
    let mut check = Check::new();
    let months = check.instalments("cardInstallmentPlan", body.fields.card_installment_plan.unwrap_or(0));
    let months = check.finish(|| months)?;
    let payment = find_in_world(&app, &payer, &checkout_id).await?;
    let stored = find_card(&app, &payer, &body.fields.card_id).await?;
    refuse_unless_ready(&payment)?;
    refuse_method(&payment, Method::Card)?;
    let card = in_months(stored.card, months, payment.total)?;

    let event = PaymentEvent::Authenticated { instrument: Instrument::Card(card) };
    let trace_id = context.trace.trace_hex();
    let mut payment = payment;
    loop {
        let next = payment.state.on(&event).map_err(|_| Problem::of(Code::AlreadyProcessedPayment))?;
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
        if let Some(advanced) = app.store.authenticate_payment(&change, payer.id, stored.id).await.map_err(lost)? {
            app.wake(payment.id, advanced.version, &next);
            return Ok(Json(CheckoutPayment::of(&app, &payment.at(advanced.version, next), context.language)));
        }
        let _still_kept = find_card(&app, &payer, &body.fields.card_id).await?;
        payment = moved_on(payment, find_in_world(&app, &payer, &checkout_id).await?)?;
    }
}

/// A payment of the payer's world. One of the other is not there.
async fn find_in_world(app: &App, payer: &Payer, checkout_id: &str) -> Result<Payment, Problem> {
    let payment = find(app, checkout_id).await?;
    match payment.tenant.mode == payer.mode {
        true => Ok(payment),
        false => Err(Problem::of(Code::NotFoundPaymentSession)),
    }
}
