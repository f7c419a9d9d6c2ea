//! `POST /v1/billing/{billingKey}`: the merchant charges a billing key; its approval is queued at once.

use axum::extract::{Path, State};
use axum::response::Response;
use naru_shared::clock::Ids as _;
use naru_shared::domain::billing::NoCharge;
use naru_shared::domain::id::OperationId;
use naru_shared::domain::instrument::{Instrument, Method};
use naru_shared::domain::operation::OperationKind;
use naru_shared::domain::payment::{PaymentSource, PaymentState, Work};
use naru_shared::store::{NewOperation, StoreError};
use naru_shared::system::System;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{missing, named};
use crate::answer::{Accepted, Keyed, outcome, paid};
use crate::app::App;
use crate::auth::Merchant;
use crate::body::{Check, TossBody};
use crate::checkout::in_months;
use crate::context::RequestContext;
use crate::headers::{IdempotencyKey, Prefer};
use crate::merchant::create::{Draft, OrderFields, check_minimum, refused};
use crate::openapi::ChargeRefusals;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::{refuse, refuse_order};
use crate::view::PaymentView;

/// Whose card is charged, and for what.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChargeFields {
    /// The merchant's name for its customer: the one that the key was issued for.
    customer_key: String,
    /// In won, from 100.
    #[schema(example = 4_900)]
    amount: i64,
    /// The merchant's name for the order: 6 to 64 of letters, digits, `-`, `_`, `=`.
    #[schema(example = "subscription-202611")]
    order_id: String,
    /// What is bought, at most 100 characters.
    #[schema(example = "토스 프라임 구독")]
    order_name: String,
    /// `KRW`.
    currency: Option<String>,
    /// How much of the amount bears no tax.
    tax_free_amount: Option<i64>,
    /// Shown to the payer.
    customer_name: Option<String>,
    /// Where the receipt goes.
    customer_email: Option<String>,
    /// 0 for a single payment, or 2 to 12 months, from 50,000 won and with a credit card.
    card_installment_plan: Option<i64>,
}

/// Charges a billing key. Its approval is tried for an hour.
#[utoipa::path(
    post,
    path = "/v1/billing/{billingKey}",
    tag = "Billing",
    request_body = ChargeFields,
    params(
        ("billingKey" = String, Path, description = "Which card"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 300 printable ASCII characters, remembered for 15 days"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (0 to 60 seconds) or `respond-async`: `202` is understood"),
    ),
    responses(
        (status = 200, description = "Approved", body = PaymentView),
        (status = 202, description = "Accepted, outcome open; only with `Prefer`", body = PaymentView),
        ChargeRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn charge(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    prefer: Prefer,
    key: Option<IdempotencyKey>,
    Path(billing_key): Path<String>,
    body: TossBody<ChargeFields>,
) -> Result<Response, Problem> {
    let fingerprint = body.fingerprint(app.keys.fingerprints());
    let fields = body.fields;
    let mut check = Check::new();
    let customer_key = check.customer_key("customerKey", &fields.customer_key).map(str::to_owned);
    let order = OrderFields {
        amount: fields.amount,
        order_id: fields.order_id,
        order_name: fields.order_name,
        currency: fields.currency,
        tax_free_amount: fields.tax_free_amount,
        customer_name: fields.customer_name,
        customer_email: fields.customer_email,
        metadata: None,
    };
    let order = order.check(&mut check);
    let months = check.instalments("cardInstallmentPlan", fields.card_installment_plan.unwrap_or(0));
    let (mut order, customer_key, months) = check.finish(|| Some((order?, customer_key?, months?)))?;
    check_minimum(&order, Method::Card)?;

    let tenant = merchant.tenant();
    let keyed = Keyed::of(&app, key, format!("POST /v1/billing/{billing_key}"), &fingerprint);
    if let Some(keyed) = &keyed
        && let Some(answer) = keyed.replay(&app, &context, tenant, |payment| paid(&app, payment, &context)).await?
    {
        return Ok(answer);
    }
    let found = app.store.find_billing_key(tenant, named(&billing_key)?.expose()).await.map_err(refuse)?;
    let found = found.ok_or_else(missing)?;
    let billing = found.id;
    let card = found.charged_for(&customer_key).map_err(|why| match why {
        NoCharge::AnotherCustomer => Problem::of(Code::NotMatchesCustomerKey),
        NoCharge::Deleted => deleted(),
    })?;
    let instrument = Instrument::Card(in_months(card, months, order.total)?);
    let connector = instrument.connector();
    app.backlog.admit(connector, tenant.mode)?;

    let operation = OperationId(System.ordered());
    let work = Work::queued(operation, OperationKind::Approve);
    order.details.customer_key = Some(customer_key);
    // A card that is there and waits for its approval: what became of it before is all the same to the payment.
    let draft = Draft::new(order, PaymentSource::Billing, PaymentState::key_in(instrument, work));
    let watching = app.hub.watch(draft.id);
    let trace_id = context.trace.trace_hex();
    let trace_parent = context.trace.to_header();
    let owed = NewOperation {
        id: operation,
        kind: OperationKind::Approve,
        connector,
        amount: draft.order.total,
        before: None,
        trace_parent: &trace_parent,
    };
    let key = keyed.as_ref().map(|keyed| &*keyed.key);
    let payment = draft.new_payment(tenant, &trace_id);
    match app.store.charge_billing_key(billing, &payment, &owed, key).await {
        Ok(Some(created)) => {
            app.hint(operation, connector, OperationKind::Approve, created.at, context.trace);
            let (key, order_id) = (&draft.key, &draft.order.order_id);
            outcome(&app, &context, prefer, watching, Accepted { operation, key, order_id, seen: 1 }).await
        }
        // It was deleted since it was read.
        Ok(None) => Err(deleted()),
        Err(StoreError::Constraint { constraint }) => {
            let render = |payment: &_| paid(&app, payment, &context);
            refused(&app, &context, tenant, &draft.order.order_id, &constraint, keyed.as_ref(), render).await
        }
        Err(error) => Err(refuse_order(&app, &draft.order.order_id, error)),
    }
}

fn deleted() -> Problem {
    Problem::because(Reason::BillingKeyDeleted)
}
