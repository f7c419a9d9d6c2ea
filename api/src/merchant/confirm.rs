//! `POST /v1/payments/confirm`: the merchant takes the money of a payer who has authenticated.

use axum::extract::{Path, State};
use axum::response::Response;
use naru_shared::clock::Ids as _;
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::OperationId;
use naru_shared::domain::instrument::Instrument;
use naru_shared::domain::operation::OperationKind;
use naru_shared::domain::payment::{Payment, PaymentStatus, Work};
use naru_shared::store::{Place, Started, StoreError};
use naru_shared::system::System;
use serde::Deserialize;
use utoipa::ToSchema;

use super::queued::{Asked, Queued, queue};
use crate::answer::{Accepted, Keyed, money, outcome, paid};
use crate::app::App;
use crate::auth::Merchant;
use crate::body::{Check, TossBody};
use crate::context::RequestContext;
use crate::headers::{IdempotencyKey, Prefer};
use crate::openapi::ApproveRefusals;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::{refuse, refuse_order};
use crate::view::PaymentView;

/// How often a lost race is decided again. Each loss means that somebody else moved the payment on.
const RACES_MAX: usize = 8;

/// What the merchant confirms: compared with what was created, never taken from it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmFields {
    /// Which payment.
    payment_key: String,
    /// The merchant's name for the order.
    order_id: String,
    /// In won.
    amount: i64,
    /// Nothing is sent to the card company after this, if it is sooner than 3 minutes from now.
    approve_before: Option<String>,
}

/// What the merchant's own books say of the order.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmOrder {
    /// The merchant's name for the order.
    order_id: String,
    /// In won.
    amount: i64,
    /// Nothing is sent to the card company after this, if it is sooner than 3 minutes from now.
    approve_before: Option<String>,
}

/// Takes the money of a payer who has authenticated.
#[utoipa::path(
    post,
    path = "/v1/payments/confirm",
    tag = "Payments",
    request_body = ConfirmFields,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 300 printable ASCII characters, remembered for 15 days"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (0 to 60 seconds) or `respond-async`: `202` is understood"),
    ),
    responses(
        (status = 200, description = "Approved", body = PaymentView),
        (status = 202, description = "Accepted, outcome open; only with `Prefer`", body = PaymentView),
        ApproveRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn confirm(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    prefer: Prefer,
    key: Option<IdempotencyKey>,
    body: TossBody<ConfirmFields>,
) -> Result<Response, Problem> {
    let fingerprint = body.fingerprint(app.keys.fingerprints());
    let keyed = Keyed::of(&app, key, "POST /v1/payments/confirm".into(), &fingerprint);
    let ConfirmFields { payment_key, order_id, amount, approve_before } = body.fields;
    let order = ConfirmOrder { order_id, amount, approve_before };
    run(&app, &merchant, &context, prefer, keyed, &payment_key, order).await
}

/// The older form of confirm, which Toss Payments' own Java SDK calls.
#[utoipa::path(
    post,
    path = "/v1/payments/{paymentKey}",
    tag = "Payments",
    request_body = ConfirmOrder,
    params(("paymentKey" = String, Path, description = "Which payment")),
    responses(
        (status = 200, description = "Approved", body = PaymentView),
        (status = 202, description = "Accepted, outcome open; only with `Prefer`", body = PaymentView),
        ApproveRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn confirm_by_path(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    prefer: Prefer,
    key: Option<IdempotencyKey>,
    Path(payment_key): Path<String>,
    body: TossBody<ConfirmOrder>,
) -> Result<Response, Problem> {
    let fingerprint = body.fingerprint(app.keys.fingerprints());
    let keyed = Keyed::of(&app, key, format!("POST /v1/payments/{payment_key}"), &fingerprint);
    run(&app, &merchant, &context, prefer, keyed, &payment_key, body.fields).await
}

async fn run(
    app: &App,
    merchant: &Merchant,
    context: &RequestContext,
    prefer: Prefer,
    keyed: Option<Keyed>,
    payment_key: &str,
    order: ConfirmOrder,
) -> Result<Response, Problem> {
    let mut check = Check::new();
    let payment_key = check.payment_key("paymentKey", payment_key);
    let order_id = check.order_id("orderId", &order.order_id);
    let amount = check.amount("amount", order.amount);
    let before = check.optional(order.approve_before.as_deref(), |check, text| check.moment("approveBefore", text));
    let (payment_key, order_id, amount, before) = check.finish(|| Some((payment_key?, order_id?, amount?, before?)))?;

    let tenant = merchant.tenant();
    for _ in 0..RACES_MAX {
        let payment = app.store.find_payment(tenant, Place::Key(payment_key)).await.map_err(refuse)?;
        // The key after the payment: whatever this same request did to the payment that was just read, its key tells.
        if let Some(keyed) = &keyed
            && let Some(answer) = keyed.replay(app, context, tenant, |payment| paid(app, payment, context)).await?
        {
            return Ok(answer);
        }
        let payment = payment.ok_or_else(|| Problem::of(Code::NotFoundPayment))?;
        if payment.order_id != order_id {
            return Err(Problem::because(Reason::OrderMismatch));
        }
        if payment.total.amount() != amount {
            return Err(Problem::because(Reason::AmountMismatch));
        }
        if let Some(work) = approval_at_work(&payment) {
            // To miss nothing: watch, then read. What was read above may be old by now, but is never newer than this.
            let watching = app.hub.watch(payment.id);
            if let Some(keyed) = &keyed {
                let joined = app.store.join_with_key(tenant, &keyed.key, payment.id, Started::Operation(work)).await;
                joined.map_err(|error| refuse_order(app, order_id, error))?;
            }
            metrics::counter!("naru_confirms_joined_total").increment(1);
            let accepted = Accepted { operation: work, key: &payment.key, order_id, seen: 0 };
            return outcome(app, context, prefer, watching, accepted).await;
        }
        refuse_unless_confirmable(app, &payment)?;
        let Some(connector) = payment.state.instrument().map(Instrument::connector) else {
            return Err(Problem::because(Reason::PaymentNotAuthenticated));
        };
        app.backlog.admit(connector, tenant.mode)?;

        let operation = OperationId(System.ordered());
        let work = Work::queued(operation, OperationKind::Approve);
        let event = PaymentEvent::ApprovalQueued { work };
        // It stands so that a confirm is in order, except that an approval was given up on: an operator has it.
        let Ok(next) = payment.state.on(&event) else {
            return Err(Problem::because(Reason::OutcomeOpen).location(&app.payment_url(&payment.key)));
        };
        let (kind, amount) = (OperationKind::Approve, payment.total);
        let asked = Asked { payment: &payment, event, next, operation, kind, connector, amount, before };
        match queue(app, context, keyed.as_ref(), asked).await {
            Ok(Queued::Accepted(watching, accepted)) => {
                return outcome(app, context, prefer, watching, accepted).await;
            }
            Ok(Queued::Overtaken) => {
                if is_over(app, &payment).await? {
                    return Err(Problem::because(Reason::PaymentExpired));
                }
            }
            Ok(Queued::KeyUsed) => {}
            Err(StoreError::Constraint { constraint }) => {
                tracing::error!(constraint, "a constraint refused a confirm");
                return Err(Problem::because(Reason::InternalError));
            }
            Err(error) => return Err(refuse_order(app, order_id, error)),
        }
    }
    Err(Problem::because(Reason::Overloaded).retry_after(std::time::Duration::from_secs(1)))
}

fn approval_at_work(payment: &Payment) -> Option<OperationId> {
    payment
        .state
        .operation
        .as_ref()
        .filter(|work| work.kind == OperationKind::Approve && work.status.is_unsettled())
        .map(|work| work.id)
}

fn refuse_unless_confirmable(app: &App, payment: &Payment) -> Result<(), Problem> {
    let problem = match payment.state.status() {
        PaymentStatus::InProgress => return Ok(()),
        PaymentStatus::Ready => Problem::because(Reason::PaymentNotAuthenticated),
        PaymentStatus::Expired => Problem::because(Reason::PaymentExpired),
        // Settled: what this request did is nothing, what the earlier one did is told beside it.
        PaymentStatus::WaitingForDeposit
        | PaymentStatus::Done
        | PaymentStatus::PartialCanceled
        | PaymentStatus::Canceled => Problem::of(Code::AlreadyProcessedPayment),
        PaymentStatus::Aborted if payment.operation_count > 0 => Problem::of(Code::AlreadyProcessedPayment),
        PaymentStatus::Aborted => Problem::because(Reason::PaymentAborted),
    };
    Err(problem
        .location(&app.payment_url(&payment.key))
        .with("paymentKey", payment.key.as_str())
        .with("paymentStatus", payment.state.status().as_str())
        .with("paymentMoneyState", serde_json::to_value(money(payment.state.money_state)).unwrap_or_default()))
}

/// Whether a lost race was lost to the clock: the payment still stands as it did, but its time is over.
async fn is_over(app: &App, payment: &Payment) -> Result<bool, Problem> {
    let now = app.store.versions(&[payment.id]).await.map_err(refuse)?;
    Ok(now.iter().any(|found| found.version == payment.version))
}
