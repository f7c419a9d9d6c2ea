//! `POST /v1/payments/{paymentKey}/cancel`: the merchant gives money back, whole or in part. Whether that is a cancel 취소 or
//! a refund 환불 is decided when it is carried out.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use naru_shared::clock::{Clock as _, Ids as _};
use naru_shared::domain::cancel::{CANCELS_MAX, Cancel, NotCancelable};
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::OperationId;
use naru_shared::domain::instrument::Instrument;
use naru_shared::domain::money::Money;
use naru_shared::domain::operation::OperationKind;
use naru_shared::domain::payment::{Payment, PaymentState, PaymentStatus, Work};
use naru_shared::store::Place;
use naru_shared::system::System;
use serde::Deserialize;
use utoipa::ToSchema;

use super::queued::{Asked, Queued, queue};
use super::refund_account::{RefundAccountFields, give, keep};
use crate::answer::{Keyed, outcome, paid};
use crate::app::App;
use crate::auth::Merchant;
use crate::body::{Check, TossBody};
use crate::context::RequestContext;
use crate::headers::{IdempotencyKey, Prefer};
use crate::openapi::CancelRefusals;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::refuse;
use crate::view::PaymentView;

/// How long a lost race is decided again. Each loss means that another cancel of the payment was accepted.
const RACE_FOR: Duration = Duration::from_secs(5);

/// What goes back, and why.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GiveBackFields {
    /// Why: 1 to 200 characters. The payer may see it.
    cancel_reason: String,
    /// How much, in won; all that is left if it is not said.
    cancel_amount: Option<i64>,
    /// How much of that bears no tax, in won; as little as what is left allows if it is not said.
    tax_free_amount: Option<i64>,
    /// `KRW`.
    currency: Option<String>,
    /// What the merchant believes can still be cancelled, in won: the cancel is refused if that is not so.
    refundable_amount: Option<i64>,
    /// Must be the payment of the path, if it is said.
    payment_key: Option<String>,
    /// Where the money goes back to: needed when it was paid into a virtual account.
    refund_receive_account: Option<RefundAccountFields>,
}

/// What is asked for, as far as it is known before the payment is looked at.
struct Wanted<'a> {
    reason: &'a str,
    amount: Option<i64>,
    tax_free: Option<i64>,
    refundable: Option<i64>,
}

/// Gives money back, whole or in part.
#[utoipa::path(
    post,
    path = "/v1/payments/{paymentKey}/cancel",
    tag = "Payments",
    request_body = GiveBackFields,
    params(
        ("paymentKey" = String, Path, description = "Which payment"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 300 printable ASCII characters, remembered for 15 days"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (0 to 60 seconds) or `respond-async`: `202` is understood"),
    ),
    responses(
        (status = 200, description = "The money goes back", body = PaymentView),
        (status = 202, description = "Accepted, outcome open; only with `Prefer`", body = PaymentView),
        CancelRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn cancel(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    prefer: Prefer,
    key: Option<IdempotencyKey>,
    Path(payment_key): Path<String>,
    body: TossBody<GiveBackFields>,
) -> Result<Response, Problem> {
    let fingerprint = body.fingerprint(app.keys.fingerprints());
    let keyed = Keyed::of(&app, key, format!("POST /v1/payments/{payment_key}/cancel"), &fingerprint);
    let fields = body.fields;
    let mut check = Check::new();
    let found = check.payment_key("paymentKey", &payment_key);
    let same = fields.payment_key.as_ref().is_none_or(|other| *other == payment_key);
    let same = check.require("paymentKey", (), same, "must be the payment of the path");
    let reason = check.cancel_reason("cancelReason", &fields.cancel_reason);
    let amount = check.optional(fields.cancel_amount, |check, won| check.amount("cancelAmount", won));
    let tax_free = check.optional(fields.tax_free_amount, |check, won| check.part("taxFreeAmount", won));
    let refundable = check.optional(fields.refundable_amount, |check, won| check.part("refundableAmount", won));
    let currency = check.optional(fields.currency.as_deref(), |check, code| check.currency("currency", code));
    let given = fields.refund_receive_account;
    let (payment_key, wanted) = check.finish(|| {
        same?;
        currency?;
        Some((found?, Wanted { reason: reason?, amount: amount?, tax_free: tax_free?, refundable: refundable? }))
    })?;

    let tenant = merchant.tenant();
    // What is no account of a payment that needs none does no harm, as with Toss Payments.
    let given = given.map(RefundAccountFields::read);
    let turn = app.turns.take(payment_key).await;
    let began = System.monotonic();
    let mut kept = None;
    while System.monotonic().duration_since(began) < RACE_FOR {
        let payment = app.store.find_payment(tenant, Place::Key(payment_key)).await.map_err(refuse)?;
        // The key after the payment: whatever this same request did to the payment that was just read, its key tells.
        if let Some(keyed) = &keyed
            && let Some(answer) = keyed.replay(&app, &context, tenant, |payment| paid(&app, payment, &context)).await?
        {
            return Ok(answer);
        }
        let payment = payment.ok_or_else(|| Problem::of(Code::NotFoundPayment))?;
        let (amount, tax_free) = decide(&app, &payment, &wanted, keyed.is_some())?;
        let payee = match &given {
            Some(given) if payment.state.account.is_some() => Some(given.as_ref().map_err(Clone::clone)?),
            Some(_) | None => None,
        };
        if payment.state.needs_payee() && payee.is_none() && payment.state.payee.is_none() {
            return Err(Problem::because(Reason::RefundAccountRequired).location(&app.payment_url(&payment.key)));
        }
        // While it waits, deposits that it could not take stand in the way of closing its account: they go back to it, too. Once it
        // is paid they may be anybody's: they wait for `refund-account`.
        let owes = |state: &PaymentState| {
            matches!(state.status(), PaymentStatus::WaitingForDeposit)
                && state.payee.is_none()
                && state.owed_deposits().next().is_some()
        };
        let owed = owes(&payment.state);
        let payment = match payee {
            Some(payee) if owed => match give(&app, &context, payment, payee, None, owes).await? {
                Some(told) => told,
                // Somebody paid it meanwhile, or said where to.
                None => continue,
            },
            Some(_) | None => payment,
        };

        // An account that was said for this cancel rests sealed before the cancel is accepted, once, however often that is tried.
        let payee = match payee {
            Some(_) if owed => payment.state.payee.clone(),
            Some(_) if kept.is_some() => kept.clone(),
            Some(payee) => {
                kept = Some(keep(&app, payee, payment.id).await?);
                kept.clone()
            }
            None => payment.state.payee.clone(),
        };
        let operation = OperationId(System.ordered());
        let cancel = Cancel {
            work: Work::queued(operation, OperationKind::Cancel),
            amount,
            tax_free,
            reason: wanted.reason.to_owned(),
            payee,
            requested_at: payment.merchant_time(System.now()),
            end: None,
        };
        let event = PaymentEvent::CancelQueued { cancel };
        let (Ok(next), Some(connector), Some(amount)) = (
            payment.state.on(&event),
            payment.state.instrument().map(Instrument::connector),
            Money::new(amount, payment.total.currency()),
        ) else {
            return Err(Problem::of(Code::NotCancelablePayment).location(&app.payment_url(&payment.key)));
        };
        let kind = OperationKind::Cancel;
        let asked = Asked { payment: &payment, event, next, operation, kind, connector, amount, before: None };
        match queue(&app, &context, keyed.as_ref(), asked).await {
            Ok(Queued::Accepted(watching, accepted)) => {
                drop(turn);
                return outcome(&app, &context, prefer, watching, accepted).await;
            }
            Ok(Queued::Overtaken | Queued::KeyUsed) => {}
            Err(error) => return Err(refuse(error).location(&app.payment_url(&payment.key))),
        }
    }
    Err(Problem::because(Reason::Overloaded).retry_after(Duration::from_secs(1)))
}

/// How much goes back, and how much of it bears no tax; or why nothing does.
fn decide(app: &App, payment: &Payment, wanted: &Wanted<'_>, keyed: bool) -> Result<(i64, i64), Problem> {
    let state = &payment.state;
    let about = |problem: Problem| {
        problem
            .location(&app.payment_url(&payment.key))
            .with("paymentKey", payment.key.as_str())
            .with("paymentStatus", state.status().as_str())
    };
    if let Some(believed) = wanted.refundable
        && matches!(state.status(), PaymentStatus::Done | PaymentStatus::PartialCanceled)
        && believed != state.refundable()
    {
        return Err(about(Problem::of(Code::NotMatchesRefundableAmount)).with("refundableAmount", state.refundable()));
    }
    // A cancel that can't be told from one that is still at work: equal ones one after another are legitimate.
    let again = !keyed && wanted.refundable.is_none() && {
        let amount = wanted.amount;
        state.cancels.iter().any(|cancel| {
            cancel.end.is_none()
                && cancel.reason == wanted.reason
                && amount.map_or(state.refundable() == 0, |amount| cancel.amount == amount)
        })
    };
    if again {
        return Err(about(Problem::of(Code::ForbiddenConsecutiveRequest)));
    }
    if state.refundable() > 0
        && state.cancelable_until().is_some_and(|until| payment.merchant_time(System.now()) >= until)
    {
        return Err(about(Problem::of(Code::ExceedMaxRefundDue)));
    }
    state.cancelable(payment.tax_free, wanted.amount, wanted.tax_free).map_err(|why| match why {
        NotCancelable::NotPaid => about(Problem::of(Code::NotCancelablePayment)),
        NotCancelable::AllCanceled => about(Problem::of(Code::AlreadyCanceledPayment)),
        NotCancelable::TooMuch { refundable } => {
            about(Problem::of(Code::NotCancelableAmount)).with("refundableAmount", refundable)
        }
        NotCancelable::TaxFree { least, most } => about(Problem::because(Reason::TaxFreeDoesNotFit))
            .with("taxFreeAmountMin", least)
            .with("taxFreeAmountMax", most),
        NotCancelable::PartWhileWaiting => about(Problem::of(Code::NotAllowedPartialRefundWaitingDeposit)),
        NotCancelable::OnlyWhole => about(Problem::of(Code::NotAllowedPartialRefund)),
        NotCancelable::TooMany => about(Problem::because(Reason::TooManyCancels)).with("cancelsMax", CANCELS_MAX),
    })
}
