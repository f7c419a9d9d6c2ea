//! `POST /checkout/v1/{checkoutId}/authenticate`: the payer says what to pay with.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::installment::NoInstallments;
use naru_shared::domain::instrument::Card;
use naru_shared::domain::money::Money;
use naru_shared::domain::payment::{Payment, PaymentStatus};
use naru_shared::store::{Advance, Clock};
use serde_json::{Map, Value};

use super::means::{MeansFields, TypedMeans};
use super::{CheckoutPayment, find};
use crate::app::App;
use crate::body::OwnBody;
use crate::browser::{Address, NoOtherPage};
use crate::context::RequestContext;
use crate::openapi::PayerRefusals;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::refuse_payer;

/// Says what to pay with: it is exchanged for the acquirer's token at once, and forgotten.
#[utoipa::path(
    post,
    path = "/checkout/v1/{checkoutId}/authenticate",
    tag = "Checkout",
    request_body = MeansFields,
    params(("checkoutId" = String, Path, description = "From `checkout.url`")),
    responses(
        (status = 200, description = "Authenticated: go to `nextUrl`", body = CheckoutPayment),
        PayerRefusals,
    )
)]
pub(super) async fn authenticate(
    State(app): State<App>,
    _: NoOtherPage,
    context: RequestContext,
    address: Address,
    Path(checkout_id): Path<String>,
    body: OwnBody<Map<String, Value>>,
) -> Result<Json<CheckoutPayment>, Problem> {
    let means = TypedMeans::read(body.into_fields())?;
    let payment = find(&app, &checkout_id).await?;
    refuse_unless_ready(&payment)?;
    means.suits(&payment)?;
    app.tries.count(payment.id)?;
    let registering =
        app.rates.registering(address, payment.tenant.mode).await.inspect_err(|_| app.tries.give_back(payment.id))?;
    let registered = means.register(&app, &payment, context.trace).await;
    let months = means.installment_months();
    drop(means);
    match &registered {
        // It counts until the payment has moved on: a good card that is refused for its months makes no room for others.
        Ok(_) => drop(registering),
        Err(problem) if problem.status().is_server_error() => app.tries.give_back(payment.id),
        Err(_) => registering.declined().await,
    }
    let instrument = TypedMeans::on_its_terms(months, registered?, &payment)?;

    let event = PaymentEvent::Authenticated { instrument };
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
        if let Some(advanced) = app.store.advance_payment(&change).await.map_err(lost)? {
            app.tries.forget(payment.id);
            app.wake(payment.id, advanced.version, &next);
            return Ok(Json(CheckoutPayment::of(&app, &payment.at(advanced.version, next), context.language)));
        }
        payment = moved_on(payment, find(&app, &checkout_id).await?)?;
    }
}

/// A payment that somebody moved on before it was authenticated, if it still can be: its payer's page was opened. Otherwise
/// says who was faster, another page or the clock.
pub(crate) fn moved_on(before: Payment, now: Payment) -> Result<Payment, Problem> {
    refuse_unless_ready(&now)?;
    if now.version == before.version { Err(Problem::because(Reason::PaymentExpired)) } else { Ok(now) }
}

/// A card that is paid back in so many months, if it and the payment allow for that.
pub(crate) fn in_months(card: Card, months: u8, total: Money) -> Result<Card, Problem> {
    card.in_months(months, total).map_err(no_installments)
}

/// The problem of a payment that can't be paid back so.
pub(crate) fn no_installments(why: NoInstallments) -> Problem {
    match why {
        NoInstallments::BelowAmount => Problem::because(Reason::InstallmentBelowAmount),
        NoInstallments::NotThisCard => Problem::of(Code::NotSupportedMonthlyInstallmentPlan),
    }
}

pub(crate) fn refuse_unless_ready(payment: &Payment) -> Result<(), Problem> {
    Err(match payment.state.status() {
        PaymentStatus::Ready => return Ok(()),
        PaymentStatus::InProgress
        | PaymentStatus::WaitingForDeposit
        | PaymentStatus::Done
        | PaymentStatus::PartialCanceled
        | PaymentStatus::Canceled => Problem::of(Code::AlreadyProcessedPayment),
        PaymentStatus::Aborted => Problem::because(Reason::PaymentAborted),
        PaymentStatus::Expired => Problem::because(Reason::PaymentExpired),
    })
}
