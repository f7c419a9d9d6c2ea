//! `POST /v1/payments`: a payment for a payer to authenticate.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use naru_shared::api_key::KeyKind;
use naru_shared::clock::{Ids as _, Random as _};
use naru_shared::domain::id::{CheckoutId, PaymentId, PaymentKey, Tenant};
use naru_shared::domain::instrument::Method;
use naru_shared::domain::money::{Currency, Money};
use naru_shared::domain::payment::{Payment, PaymentDetails, PaymentSource, PaymentState};
use naru_shared::store::{Acceptance, Created, NewPayment, Place, Principal, StoreError};
use naru_shared::system::System;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::answer::Keyed;
use crate::app::App;
use crate::auth::Creator;
use crate::body::{Check, TossBody};
use crate::context::RequestContext;
use crate::headers::IdempotencyKey;
use crate::openapi::CreateRefusals;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::{refuse, refuse_order};
use crate::view::PaymentView;

/// Pairs of a merchant's own at most.
const METADATA_MAX: usize = 5;

/// What every payment says of its order.
pub(super) struct OrderFields {
    pub(super) amount: i64,
    pub(super) order_id: String,
    pub(super) order_name: String,
    pub(super) currency: Option<String>,
    pub(super) tax_free_amount: Option<i64>,
    pub(super) customer_name: Option<String>,
    pub(super) customer_email: Option<String>,
    pub(super) metadata: Option<Map<String, Value>>,
}

/// What every payment says of its order, checked.
pub(super) struct Order {
    pub(super) order_id: String,
    pub(super) order_name: String,
    pub(super) total: Money,
    pub(super) tax_free: i64,
    pub(super) details: PaymentDetails,
}

impl OrderFields {
    /// Checks every field and notes what is wrong.
    pub(super) fn check(self, check: &mut Check) -> Option<Order> {
        let amount = check.amount("amount", self.amount);
        let order_id = check.order_id("orderId", &self.order_id).map(str::to_owned);
        let order_name = check.order_name("orderName", &self.order_name).map(str::to_owned);
        let currency = check.optional(self.currency.as_deref(), |check, text| check.currency("currency", text));
        let tax_free = check.part("taxFreeAmount", self.tax_free_amount.unwrap_or(0));
        let name = check.optional(self.customer_name.as_deref(), |check, text| check.person_name("customerName", text));
        let email = check.optional(self.customer_email.as_deref(), |check, text| check.email("customerEmail", text));
        let metadata = self.metadata.unwrap_or_default();
        let metadata_is_good = metadata.len() <= METADATA_MAX
            && metadata.iter().all(|(key, value)| {
                key.chars().count() <= 40 && value.as_str().is_some_and(|text| text.chars().count() <= 2_000)
            });
        let metadata = check.require(
            "metadata",
            metadata,
            metadata_is_good,
            "must be at most 5 pairs of texts, of 40 and 2000 characters",
        );
        let (amount, tax_free) = (amount?, tax_free?);
        check.require("taxFreeAmount", (), tax_free <= amount, "must not be above the amount")?;
        currency?;
        Some(Order {
            order_id: order_id?,
            order_name: order_name?,
            total: Money::new(amount, Currency::Krw)?,
            tax_free,
            details: PaymentDetails {
                customer_name: name?.map(str::to_owned),
                customer_email: email?.map(str::to_owned),
                metadata: metadata?,
                ..PaymentDetails::default()
            },
        })
    }
}

/// The least that can be charged is checked last: it has a code of its own.
pub(super) fn check_minimum(order: &Order, method: Method) -> Result<(), Problem> {
    if order.total.amount() < method.connector().amount_min() {
        return Err(Problem::of(Code::BelowMinimumAmount));
    }
    Ok(())
}

/// A payment to be created.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateFields {
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
    /// By which method the payer is to pay, and by no other: `카드`, `계좌이체`, `휴대폰` or `간편결제`, or `CARD`, `TRANSFER`,
    /// `MOBILE_PHONE` or `EASY_PAY`. The payer chooses if absent.
    method: Option<String>,
    /// Where the payer goes when authenticated. Its origin is registered with the merchant.
    success_url: String,
    /// Where the payer goes when it failed. Its origin is registered with the merchant.
    fail_url: String,
}

/// A payment that was created, with the token to watch it by.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreatedView {
    #[serde(flatten)]
    payment: PaymentView,
    /// `Authorization: Bearer` for this payment's events, read only, until it has ended and 10 minutes more.
    checkout_token: String,
}

/// Creates a payment for a payer to authenticate.
#[utoipa::path(
    post,
    path = "/v1/payments",
    tag = "Payments",
    request_body = CreateFields,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 300 printable ASCII characters, remembered for 15 days")),
    responses(
        (status = 200, description = "Created", body = CreatedView),
        CreateRefusals,
    ),
    security(("secretKey" = []), ("clientKey" = []))
)]
pub(super) async fn create(
    State(app): State<App>,
    Creator(creator): Creator,
    context: RequestContext,
    key: Option<IdempotencyKey>,
    body: TossBody<CreateFields>,
) -> Result<Response, Problem> {
    let fingerprint = body.fingerprint(app.keys.fingerprints());
    let fields = body.fields;
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
    let method = check.optional(fields.method.as_deref(), |check, word| {
        let method = Method::named(word).filter(|method| *method != Method::VirtualAccount);
        if method.is_none() {
            check.wrong(
                "method",
                "must be 카드, 계좌이체, 휴대폰 or 간편결제, or CARD, TRANSFER, MOBILE_PHONE or EASY_PAY",
            );
        }
        method
    });
    let success = check.url("successUrl", &fields.success_url);
    let fail = check.url("failUrl", &fields.fail_url);
    let (mut order, method, success, fail) = check.finish(|| Some((order?, method?, success?, fail?)))?;
    check_minimum(&order, method.unwrap_or(Method::Card))?;
    order.details.method = method;
    for url in [&success, &fail] {
        let origin = url.origin().ascii_serialization();
        if !creator.origins.contains(&origin) {
            return Err(Problem::because(Reason::OriginNotRegistered));
        }
    }
    order.details.success_url = Some(success.into());
    order.details.fail_url = Some(fail.into());

    let tenant = creator.tenant;
    let keyed = Keyed::of(&app, key, route(creator.kind).into(), &fingerprint);
    let render = |payment: &Payment| view(&app, payment, &context);
    if let Some(keyed) = &keyed
        && let Some(answer) = keyed.replay(&app, &context, tenant, render).await?
    {
        return Ok(answer);
    }
    let draft = Draft::new(order, PaymentSource::Checkout, PaymentState::ready());
    let trace_id = context.trace.trace_hex();
    let key = keyed.as_ref().map(|keyed| &*keyed.key);
    let created = app.accepts.ask(Acceptance::new(&draft.new_payment(tenant, &trace_id), None, key)).await;
    match created {
        Ok(created) => Ok(render(&draft.payment(&creator, created))),
        Err(StoreError::Constraint { constraint }) => {
            let order_id = &draft.order.order_id;
            let answer = refused(&app, &context, tenant, order_id, &constraint, keyed.as_ref(), render).await;
            // An order id is no secret: with it, a stranger must not find the payment that it has.
            answer.map_err(|problem| match (creator.kind, problem.code()) {
                (KeyKind::Client, Code::DuplicatedOrderId) => Problem::of(Code::DuplicatedOrderId),
                (KeyKind::Client | KeyKind::Secret, _) => problem,
            })
        }
        Err(error) => Err(refuse_order(&app, &draft.order.order_id, error)),
    }
}

/// What idempotency keys of this call belong to. A client key is in a page and everybody's: whoever has it must neither
/// use up the keys of the merchant's server nor find out what they were used for.
const fn route(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Secret => "POST /v1/payments",
        KeyKind::Client => "POST /v1/payments (client key)",
    }
}

fn view(app: &App, payment: &Payment, context: &RequestContext) -> Response {
    let checkout_token = app.keys.checkout_token(payment.id);
    Json(CreatedView { payment: PaymentView::of(app, payment, context.language), checkout_token }).into_response()
}

/// A payment that is about to be written down, with the names it will have.
pub(super) struct Draft {
    pub(super) id: PaymentId,
    pub(super) key: PaymentKey,
    checkout_id: CheckoutId,
    source: PaymentSource,
    pub(super) order: Order,
    pub(super) state: PaymentState,
}

impl Draft {
    pub(super) fn new(order: Order, source: PaymentSource, state: PaymentState) -> Self {
        Self {
            id: PaymentId(System.ordered()),
            // 160 random bits: it is also what keeps strangers from each other's payments.
            key: PaymentKey(format!("naru_{}", hex(&System.bytes::<20>()))),
            checkout_id: CheckoutId(format!("co_{}", hex(&System.bytes::<20>()))),
            source,
            order,
            state,
        }
    }

    pub(super) fn new_payment<'a>(&'a self, tenant: Tenant, trace_id: &'a str) -> NewPayment<'a> {
        NewPayment {
            id: self.id,
            key: &self.key,
            checkout_id: &self.checkout_id,
            tenant,
            source: self.source,
            order_id: &self.order.order_id,
            order_name: &self.order.order_name,
            total: self.order.total,
            tax_free: self.order.tax_free,
            details: &self.order.details,
            state: &self.state,
            trace_id,
        }
    }

    /// The payment that it became.
    fn payment(self, creator: &Principal, created: Created) -> Payment {
        Payment {
            id: self.id,
            key: self.key,
            checkout_id: self.checkout_id,
            tenant: creator.tenant,
            mid: creator.mid.clone(),
            source: self.source,
            order_id: self.order.order_id,
            order_name: self.order.order_name,
            total: self.order.total,
            tax_free: self.order.tax_free,
            details: self.order.details,
            operation_count: 0,
            version: 1,
            state: self.state,
            created_at: created.shown_at,
            ahead: created.shown_at - created.at,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a payment that a constraint refused is answered with: the earlier request's answer when the key is the same,
/// else that the order has a living payment.
pub(super) async fn refused(
    app: &App,
    context: &RequestContext,
    tenant: Tenant,
    order_id: &str,
    constraint: &str,
    keyed: Option<&Keyed>,
    render: impl FnOnce(&Payment) -> Response,
) -> Result<Response, Problem> {
    // The same request twice at once meets either constraint first.
    if let Some(keyed) = keyed
        && let Some(answer) = keyed.replay(app, context, tenant, render).await?
    {
        return Ok(answer);
    }
    if constraint != "payments_one_per_order" {
        tracing::error!(constraint, "a constraint refused what the handler had let pass");
        return Err(Problem::because(Reason::InternalError));
    }
    let earlier = app.store.find_payment(tenant, Place::Order(order_id)).await.map_err(refuse)?;
    let Some(earlier) = earlier else { return Err(Problem::of(Code::DuplicatedOrderId)) };
    let reason = if earlier.state.approval().is_some() { Reason::OrderIsPaid } else { Reason::OrderIsOpen };
    Err(Problem::because(reason)
        .location(&app.payment_url(&earlier.key))
        .with("paymentKey", earlier.key.as_str())
        .with("paymentStatus", earlier.state.status().as_str()))
}
