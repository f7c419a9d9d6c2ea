//! `POST /checkout/v1/{checkoutId}/authenticate`: the payer says what to pay with.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::installment::{self, NoInstallments};
use naru_shared::domain::instrument::{Card, Instrument};
use naru_shared::domain::money::Money;
use naru_shared::domain::payment::{Payment, PaymentStatus};
use naru_shared::store::{Advance, Clock};

use super::{CheckoutPayment, find};
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::browser::Address;
use crate::context::RequestContext;
use crate::merchant::{CardFields, register};
use crate::openapi::PayerRefusals;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::refuse_payer;

/// Says what to pay with: the card is exchanged for the card company's token at once, and forgotten.
#[utoipa::path(
    post,
    path = "/checkout/v1/{checkoutId}/authenticate",
    tag = "Checkout",
    request_body = CardFields,
    params(("checkoutId" = String, Path, description = "From `checkout.url`")),
    responses(
        (status = 200, description = "Authenticated: go to `nextUrl`", body = CheckoutPayment),
        PayerRefusals,
    )
)]
pub(super) async fn authenticate(
    State(app): State<App>,
    context: RequestContext,
    address: Address,
    Path(checkout_id): Path<String>,
    body: OwnBody<CardFields>,
) -> Result<Json<CheckoutPayment>, Problem> {
    let mut check = Check::new();
    let card = body.fields.check(&mut check);
    let card = check.finish(|| card)?;
    drop(body);
    let payment = find(&app, &checkout_id).await?;
    refuse_unless_ready(&payment)?;
    let months = card.installment_months;
    installment::allowed(months, payment.total).map_err(no_installments)?;
    app.tries.count(payment.id)?;
    let registering = app.rates.registering(address).await.inspect_err(|_| app.tries.give_back(payment.id))?;
    let registered = register(&app, &payment.mid, &card, context.trace).await;
    drop(card);
    match &registered {
        Ok(_) => app.tries.forget(payment.id),
        Err(problem) if problem.status().is_server_error() => app.tries.give_back(payment.id),
        Err(_) => app.rates.declined(address).await,
    }
    drop(registering);
    let token = in_months(registered?, months, payment.total)?;

    let event = PaymentEvent::Authenticated { instrument: Instrument::Card(token) };
    let next = payment.state.on(&event).map_err(|_| Problem::of(Code::AlreadyProcessedPayment))?;
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
    match app.store.advance_payment(&change).await.map_err(lost)? {
        Some(advanced) => {
            app.wake(payment.id, advanced.version, &next);
            Ok(Json(CheckoutPayment::of(&app, &payment.at(advanced.version, next), context.language)))
        }
        // Somebody was faster, or the clock was: say which.
        None => {
            refuse_unless_ready(&find(&app, &checkout_id).await?)?;
            Err(Problem::because(Reason::PaymentExpired))
        }
    }
}

/// A card that is paid back in so many months, if it and the payment allow for that.
pub(crate) fn in_months(card: Card, months: u8, total: Money) -> Result<Card, Problem> {
    card.in_months(months, total).map_err(no_installments)
}

fn no_installments(why: NoInstallments) -> Problem {
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
