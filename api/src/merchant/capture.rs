//! `POST /v1/payments/{paymentKey}/capture`: have the sales slip bought now 매입, rather than when the next day in Korea begins.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use naru_shared::clock::{Clock as _, Ids as _};
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::{OperationId, Tenant};
use naru_shared::domain::instrument::Instrument;
use naru_shared::domain::money::Money;
use naru_shared::domain::operation::OperationKind;
use naru_shared::domain::payment::{Payment, Work};
use naru_shared::store::{Place, Started};
use naru_shared::system::System;
use serde::Deserialize;
use utoipa::ToSchema;

use super::queued::{Asked, Queued, queue};
use crate::answer::{Accepted, Keyed, outcome, paid};
use crate::app::App;
use crate::auth::Merchant;
use crate::body::{Check, OwnBody};
use crate::context::RequestContext;
use crate::headers::{IdempotencyKey, Prefer};
use crate::openapi::CancelRefusals;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::refuse;
use crate::view::PaymentView;

/// How long a lost race is decided again. Each loss means that something else about the payment was accepted or came to an
/// end.
const RACE_FOR: Duration = Duration::from_secs(5);

/// Nothing has to be said.
#[derive(Deserialize, ToSchema)]
pub(super) struct CaptureFields {}

/// Has an approval captured now.
#[utoipa::path(
    post,
    path = "/v1/payments/{paymentKey}/capture",
    tag = "Payments",
    request_body = CaptureFields,
    params(
        ("paymentKey" = String, Path, description = "Which payment"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 300 printable ASCII characters, remembered for 15 days"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (0 to 60 seconds) or `respond-async`: `202` is understood"),
    ),
    responses(
        (status = 200, description = "Captured, now or before", body = PaymentView),
        (status = 202, description = "Accepted, outcome open; only with `Prefer`", body = PaymentView),
        CancelRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn capture(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    prefer: Prefer,
    key: Option<IdempotencyKey>,
    Path(payment_key): Path<String>,
    body: OwnBody<CaptureFields>,
) -> Result<Response, Problem> {
    let fingerprint = body.fingerprint(app.keys.fingerprints());
    let keyed = Keyed::of(&app, key, format!("POST /v1/payments/{payment_key}/capture"), &fingerprint);
    let mut check = Check::new();
    let found = check.payment_key("paymentKey", &payment_key);
    let payment_key = check.finish(|| found)?;
    let tenant = merchant.tenant();
    let began = System.monotonic();
    while System.monotonic().duration_since(began) < RACE_FOR {
        let payment = app.store.find_payment(tenant, Place::Key(payment_key)).await.map_err(refuse)?;
        if let Some(keyed) = &keyed
            && let Some(answer) = keyed.replay(&app, &context, tenant, |payment| paid(&app, payment, &context)).await?
        {
            return Ok(answer);
        }
        let payment = payment.ok_or_else(|| Problem::of(Code::NotFoundPayment))?;
        let state = &payment.state;
        if state.is_captured() {
            join(&app, tenant, keyed.as_ref(), &payment, Started::Version(payment.version)).await?;
            return Ok(paid(&app, &payment, &context));
        }
        let open = state.capture.as_ref().and_then(|capture| capture.work.as_ref());
        if let Some(work) = open.filter(|work| work.status.is_unsettled()) {
            // To miss nothing: watch, then read.
            let watching = app.hub.watch(payment.id);
            join(&app, tenant, keyed.as_ref(), &payment, Started::Operation(work.id)).await?;
            let accepted = Accepted { operation: work.id, key: &payment.key, order_id: &payment.order_id, seen: 0 };
            return outcome(&app, &context, prefer, watching, accepted).await;
        }
        let operation = OperationId(System.ordered());
        let work = Work::queued(operation, OperationKind::Capture);
        let event = PaymentEvent::CaptureQueued { work };
        // How much is bought is decided when it is: what is still to be cancelled before goes off.
        let (Ok(next), Some(connector), Some(amount)) = (
            state.on(&event),
            state.instrument().map(Instrument::connector),
            Money::new(state.balance(payment.total.amount()), payment.total.currency()),
        ) else {
            return Err(Problem::because(Reason::NotCapturable)
                .location(&app.payment_url(&payment.key))
                .with("paymentStatus", state.status().as_str()));
        };
        let kind = OperationKind::Capture;
        let asked = Asked { payment: &payment, event, next, operation, kind, connector, amount, before: None };
        match queue(&app, &context, keyed.as_ref(), asked).await {
            Ok(Queued::Accepted(watching, accepted)) => {
                return outcome(&app, &context, prefer, watching, accepted).await;
            }
            Ok(Queued::Overtaken | Queued::KeyUsed) => {}
            Err(error) => return Err(refuse(error).location(&app.payment_url(&payment.key))),
        }
    }
    Err(Problem::because(Reason::Overloaded).retry_after(Duration::from_secs(1)))
}

/// Lets a request's key point at what another one started.
async fn join(
    app: &App,
    tenant: Tenant,
    keyed: Option<&Keyed>,
    payment: &Payment,
    started: Started,
) -> Result<(), Problem> {
    let Some(keyed) = keyed else { return Ok(()) };
    let joined = app.store.join_with_key(tenant, &keyed.key, payment.id, started).await;
    joined.map_err(|error| refuse(error).location(&app.payment_url(&payment.key)))
}
