//! `POST /v1/payments/key-in`: the merchant types the card in; its approval is queued at once.

use axum::extract::State;
use axum::response::Response;
use naru_shared::clock::Ids as _;
use naru_shared::domain::id::OperationId;
use naru_shared::domain::installment;
use naru_shared::domain::instrument::{Instrument, Method};
use naru_shared::domain::operation::{Connector, OperationKind};
use naru_shared::domain::payment::{PaymentSource, PaymentState, Work};
use naru_shared::store::{Acceptance, NewOperation, StoreError};
use naru_shared::system::System;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::card::{CardFields, register};
use super::create::{Draft, OrderFields, check_minimum, refused};
use crate::answer::{Accepted, Keyed, outcome, paid};
use crate::app::App;
use crate::auth::Merchant;
use crate::body::{Check, TossBody};
use crate::checkout::{in_months, no_installments};
use crate::context::RequestContext;
use crate::headers::{IdempotencyKey, Prefer};
use crate::openapi::ApproveRefusals;
use crate::problem::Problem;
use crate::unavailable::refuse_order;
use crate::view::PaymentView;

/// A payment by a card that the merchant types in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyInFields {
    /// In won, from 100.
    #[schema(example = 15_000)]
    amount: i64,
    /// The merchant's name for the order: 6 to 64 of letters, digits, `-`, `_`, `=`.
    #[schema(example = "order-20261122-001")]
    order_id: String,
    /// What is bought, at most 100 characters.
    #[schema(example = "토스 티셔츠 외 2건")]
    order_name: String,
    /// `KRW`.
    currency: Option<String>,
    /// How much of the amount bears no tax.
    tax_free_amount: Option<i64>,
    /// Shown to the payer.
    customer_name: Option<String>,
    /// Where the receipt goes.
    customer_email: Option<String>,
    /// At most 5 pairs of texts of the merchant's own.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// 12 to 19 digits; spaces and hyphens are tolerated.
    #[schema(example = "4242424242424242")]
    card_number: String,
    /// Two digits.
    #[schema(example = "30")]
    card_expiration_year: String,
    /// Two digits.
    #[schema(example = "12")]
    card_expiration_month: String,
    /// The first two digits of the card's password.
    card_password: Option<String>,
    /// A birthday of six digits, or a business registration number of ten.
    customer_identity_number: Option<String>,
    /// The three or four digits on the card.
    cvc: Option<String>,
    /// 0 for a single payment, or 2 to 12 months.
    card_installment_plan: Option<i64>,
    /// Nothing is sent to the card company after this, if it is sooner than 3 minutes from now; an approval that comes
    /// later is reversed.
    approve_before: Option<String>,
}

/// Charges a card that the merchant typed in.
#[utoipa::path(
    post,
    path = "/v1/payments/key-in",
    tag = "Payments",
    request_body = KeyInFields,
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
pub(super) async fn key_in(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    prefer: Prefer,
    key: Option<IdempotencyKey>,
    body: TossBody<KeyInFields>,
) -> Result<Response, Problem> {
    let fingerprint = body.fingerprint(app.keys.fingerprints());
    // Waiting for an outcome can take a minute, and nothing that was typed may outlive the card's registration.
    let fields = body.into_fields();
    let mut check = Check::new();
    let order = OrderFields {
        amount: fields.amount,
        order_id: fields.order_id,
        order_name: fields.order_name,
        currency: fields.currency,
        tax_free_amount: fields.tax_free_amount,
        customer_name: fields.customer_name,
        customer_email: fields.customer_email,
        metadata: fields.metadata,
    };
    let order = order.check(&mut check);
    let card = CardFields {
        card_number: fields.card_number,
        card_expiration_year: fields.card_expiration_year,
        card_expiration_month: fields.card_expiration_month,
        card_password: fields.card_password,
        customer_identity_number: fields.customer_identity_number,
        cvc: fields.cvc,
        card_installment_plan: fields.card_installment_plan,
    }
    .check(&mut check);
    let before = check.optional(fields.approve_before.as_deref(), |check, text| check.moment("approveBefore", text));
    let (order, card, before) = check.finish(|| Some((order?, card?, before?)))?;
    check_minimum(&order, Method::Card)?;

    let tenant = merchant.tenant();
    let keyed = Keyed::of(&app, key, "POST /v1/payments/key-in".into(), &fingerprint);
    if let Some(keyed) = &keyed
        && let Some(answer) = keyed.replay(&app, &context, tenant, |payment| paid(&app, payment, &context)).await?
    {
        return Ok(answer);
    }
    app.backlog.admit(Connector::Card, tenant.mode)?;
    let months = card.installment_months;
    installment::allowed(months, order.total).map_err(no_installments)?;
    let token = register(&app, &merchant.0.mid, &card, context.trace).await?;
    drop(card);
    let token = in_months(token, months, order.total)?;

    let operation = OperationId(System.ordered());
    let work = Work::queued(operation, OperationKind::Approve);
    let draft = Draft::new(order, PaymentSource::KeyIn, PaymentState::key_in(Instrument::Card(token), work));
    let watching = app.hub.watch(draft.id);
    let created = {
        let trace_id = context.trace.trace_hex();
        let trace_parent = context.trace.to_header();
        let owed = NewOperation {
            id: operation,
            kind: OperationKind::Approve,
            connector: Connector::Card,
            amount: draft.order.total,
            before,
            trace_parent: &trace_parent,
        };
        let key = keyed.as_ref().map(|keyed| &*keyed.key);
        app.accepts.ask(Acceptance::new(&draft.new_payment(tenant, &trace_id), Some(&owed), key)).await
    };
    match created {
        Ok(created) => {
            app.hint(operation, Connector::Card, OperationKind::Approve, created.at, context.trace);
            let (key, order_id) = (&draft.key, &draft.order.order_id);
            outcome(&app, &context, prefer, watching, Accepted { operation, key, order_id, seen: 1 }).await
        }
        Err(StoreError::Constraint { constraint }) => {
            let render = |payment: &_| paid(&app, payment, &context);
            refused(&app, &context, tenant, &draft.order.order_id, &constraint, keyed.as_ref(), render).await
        }
        Err(error) => Err(refuse_order(&app, &draft.order.order_id, error)),
    }
}
