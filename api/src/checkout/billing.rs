//! `/checkout/v1/billing`: a merchant's page asks for a billing key, and its customer types the card in. The merchant's server
//! exchanges the authKey that comes back for the key.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::clock::{Ids as _, Random as _};
use naru_shared::domain::id::Mode;
use naru_shared::secret::OpaqueToken;
use naru_shared::store::{BillingRequest, NewBillingRequest};
use naru_shared::system::System;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Creator;
use crate::body::{Check, OwnBody};
use crate::browser::{Address, NoOtherPage};
use crate::context::RequestContext;
use crate::merchant::{AUTH_KEY_PREFIX, CardFields, register};
use crate::openapi::{BillingRequestRefusals, PayerRefusals};
use crate::problem::{Code, Problem, Reason};
use crate::rates::CARDS_OF_BILLING_REQUEST;
use crate::unavailable::{refuse, refuse_free};
use crate::view::seoul;

/// What the id of a request begins with.
const REQUEST_PREFIX: &str = "br_";

/// Whose card, and where the customer goes afterwards.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BillingRequestFields {
    /// The merchant's name for its customer: 2 to 300 of letters, digits, `-`, `_`, `=`, `.`, `@`. One nobody guesses.
    #[schema(example = "c0a8012e-6f3b-4b5e-9b1d-2d8c1f0e7a55")]
    customer_key: String,
    /// Where the customer goes when authenticated, with `customerKey` and `authKey`. Its origin is registered.
    success_url: String,
    /// Where the customer goes when it failed. Its origin is registered.
    fail_url: String,
}

/// A request that waits for its customer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BillingRequestView {
    /// What the customer's page calls it.
    request_id: String,
    /// The merchant's name for its customer.
    customer_key: String,
    /// Where the card is sent.
    url: String,
    /// Until when, at +09:00.
    expires_at: String,
}

/// A card as its customer types it. Forgotten as soon as the card company has given a token for it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnCardFields {
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
}

/// Where a customer goes who has authenticated.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BillingAuthenticated {
    /// `successUrl` with `customerKey` and `authKey`.
    next_url: String,
}

/// Asks for a billing key of a customer's card.
#[utoipa::path(
    post,
    path = "/checkout/v1/billing",
    tag = "Billing",
    request_body = BillingRequestFields,
    responses(
        (status = 200, description = "Waits for its customer, for 30 minutes", body = BillingRequestView),
        BillingRequestRefusals,
    ),
    security(("secretKey" = []), ("clientKey" = []))
)]
pub(super) async fn request_billing(
    State(app): State<App>,
    Creator(creator): Creator,
    body: OwnBody<BillingRequestFields>,
) -> Result<Json<BillingRequestView>, Problem> {
    let fields = body.fields;
    let mut check = Check::new();
    let customer_key = check.customer_key("customerKey", &fields.customer_key);
    let success = check.url("successUrl", &fields.success_url);
    let fail = check.url("failUrl", &fields.fail_url);
    let (customer_key, success, fail) = check.finish(|| Some((customer_key?, success?, fail?)))?;
    for url in [&success, &fail] {
        if !creator.origins.contains(&url.origin().ascii_serialization()) {
            return Err(Problem::because(Reason::OriginNotRegistered));
        }
    }
    let request_id = OpaqueToken::generate(REQUEST_PREFIX, &System.bytes());
    let new = NewBillingRequest {
        id: System.ordered(),
        request_id: request_id.expose(),
        tenant: creator.tenant,
        customer_key,
        success_url: success.as_str(),
        fail_url: fail.as_str(),
    };
    let expires_at = app.store.create_billing_request(&new).await.map_err(refuse_free)?;
    Ok(Json(BillingRequestView {
        request_id: request_id.expose().to_owned(),
        customer_key: customer_key.to_owned(),
        url: app.billing_url(request_id.expose()),
        expires_at: seoul(expires_at),
    }))
}

/// Says which card: it is exchanged for the card company's token at once, and forgotten.
#[utoipa::path(
    post,
    path = "/checkout/v1/billing/{requestId}/authenticate",
    tag = "Billing",
    request_body = OwnCardFields,
    params(("requestId" = String, Path, description = "Of the request that waits")),
    responses(
        (status = 200, description = "Authenticated: go to `nextUrl`", body = BillingAuthenticated),
        PayerRefusals,
    )
)]
pub(super) async fn authenticate_billing(
    State(app): State<App>,
    _: NoOtherPage,
    context: RequestContext,
    address: Address,
    Path(request_id): Path<String>,
    body: OwnBody<OwnCardFields>,
) -> Result<Json<BillingAuthenticated>, Problem> {
    let fields = body.into_fields();
    let mut check = Check::new();
    let card = CardFields {
        card_number: fields.card_number,
        card_expiration_year: fields.card_expiration_year,
        card_expiration_month: fields.card_expiration_month,
        card_password: fields.card_password,
        customer_identity_number: fields.customer_identity_number,
        cvc: fields.cvc,
        card_installment_plan: None,
    }
    .check(&mut check);
    let card = check.finish(|| card)?;
    let request = find_open(&app, &request_id).await?;

    let who = app.rates.who(&[b"billing", request.id.as_bytes()]);
    let mode = if request.is_live { Mode::Live } else { Mode::Test };
    let registering = app.rates.registering(address, mode).await?;
    app.rates.count(CARDS_OF_BILLING_REQUEST, &who).await?;
    let registered = register(&app, &request.mid, &card, context.trace).await;
    drop(card);
    match &registered {
        Ok(_) => drop(registering),
        // Nobody judged it.
        Err(problem) if problem.status().is_server_error() => {
            app.rates.give_back(CARDS_OF_BILLING_REQUEST, &who).await;
        }
        Err(_) => registering.declined().await,
    }
    let auth_key = OpaqueToken::generate(AUTH_KEY_PREFIX, &System.bytes());
    let kept = app.store.authenticate_billing_request(request.id, &auth_key.hash(), &registered?).await;
    if !kept.map_err(refuse_free)? {
        // Somebody was faster, or the clock was: say which.
        find_open(&app, &request_id).await?;
        return Err(Problem::because(Reason::PaymentExpired));
    }
    let mut next = url::Url::parse(&request.success_url).map_err(|_| Problem::because(Reason::InternalError))?;
    next.query_pairs_mut().append_pair("customerKey", &request.customer_key).append_pair("authKey", auth_key.expose());
    Ok(Json(BillingAuthenticated { next_url: next.into() }))
}

/// The request of this id, if it waits for its customer.
async fn find_open(app: &App, request_id: &str) -> Result<BillingRequest, Problem> {
    let missing = || Problem::of(Code::NotFoundPaymentSession);
    let id = OpaqueToken::parse(REQUEST_PREFIX, request_id).ok_or_else(missing)?;
    let request = app.store.find_billing_request(id.expose()).await.map_err(refuse)?.ok_or_else(missing)?;
    match (request.is_open, request.is_authenticated) {
        (true, _) => Ok(request),
        (false, true) => Err(Problem::of(Code::AlreadyProcessedPayment)),
        (false, false) => Err(missing()),
    }
}
