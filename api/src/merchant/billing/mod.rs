//! 빌링키, `/v1/billing`: a customer's card that the merchant charges again without the customer. One file per verb; how a
//! customer authenticates one is in [`crate::checkout`].

mod authorize;
mod charge;
mod delete;
mod issue;

use axum::Json;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use naru_shared::clock::Random as _;
use naru_shared::domain::billing::BillingKey;
use naru_shared::domain::card_company::name_of;
use naru_shared::domain::id::{BillingKeyId, Tenant};
use naru_shared::secret::OpaqueToken;
use naru_shared::system::System;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Keyed, REPLAYED};
use crate::app::App;
use crate::auth::Merchant;
use crate::problem::{Code, Problem};
use crate::unavailable::refuse;
use crate::view::seoul;

/// What a billing key begins with.
const KEY_PREFIX: &str = "naru_bk_";
/// What an authKey begins with.
pub(crate) const AUTH_KEY_PREFIX: &str = "naru_ak_";

/// Every call about billing keys.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(authorize::authorize_card))
        .routes(routes!(issue::issue))
        .routes(routes!(charge::charge, delete::delete))
}

/// A billing key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BillingView {
    /// The merchant's id.
    m_id: String,
    /// The merchant's name for its customer.
    customer_key: String,
    /// When the customer authenticated, at +09:00.
    authenticated_at: String,
    /// `카드`.
    method: &'static str,
    /// What is charged by: 256 random bits.
    billing_key: String,
    /// The card.
    card: BillingCardView,
    /// The issuer's name; null when we have none for its code.
    card_company: Option<&'static str>,
    /// First six and last four digits.
    card_number: String,
}

/// The card of a billing key, masked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BillingCardView {
    /// Two-character code of the issuer.
    issuer_code: String,
    /// Two-character code of who buys the sales slips.
    acquirer_code: String,
    /// First six and last four digits.
    number: String,
    /// `신용`, `체크`, `기프트` or `미확인`.
    card_type: &'static str,
    /// `개인`, `법인` or `미확인`.
    owner_type: &'static str,
}

/// A billing key as the whole answer, `200`.
fn issued(merchant: &Merchant, key: &BillingKey) -> Response {
    let card = &key.card;
    Json(BillingView {
        m_id: merchant.0.mid.clone(),
        customer_key: key.customer_key.clone(),
        authenticated_at: seoul(key.authenticated_at),
        method: "카드",
        billing_key: key.key.clone(),
        card: BillingCardView {
            issuer_code: card.issuer_code.clone(),
            acquirer_code: card.acquirer_code.clone(),
            number: card.masked(),
            card_type: card.card_type.as_str(),
            owner_type: card.owner_type.as_str(),
        },
        card_company: name_of(&card.issuer_code),
        card_number: card.masked(),
    })
    .into_response()
}

/// The names of a new billing key.
fn new_key() -> (BillingKeyId, OpaqueToken) {
    use naru_shared::clock::Ids as _;
    (BillingKeyId(System.ordered()), OpaqueToken::generate(KEY_PREFIX, &System.bytes()))
}

/// The billing key that a path names, if it could be one of ours.
fn named(path: &str) -> Result<OpaqueToken, Problem> {
    OpaqueToken::parse(KEY_PREFIX, path).ok_or_else(missing)
}

/// There is no such key, or it is another merchant's: nobody can tell.
fn missing() -> Problem {
    Problem::of(Code::NotFoundBilling)
}

/// Answers a request whose key issued a billing key before. Nothing when it didn't.
async fn replay(
    app: &App,
    merchant: &Merchant,
    tenant: Tenant,
    keyed: Option<&Keyed>,
) -> Result<Option<Response>, Problem> {
    let Some(keyed) = keyed else { return Ok(None) };
    let used = app.store.find_issued(tenant, &keyed.key.route, &keyed.key.key).await.map_err(refuse)?;
    let Some(used) = used else { return Ok(None) };
    if used.fingerprint != keyed.key.fingerprint {
        return Err(keyed.reused(used.members));
    }
    let mut response = issued(merchant, &used.issued);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(Some(response))
}
