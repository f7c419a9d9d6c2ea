//! `POST /v1/billing/authorizations/issue`: the authKey that a customer came back with becomes a billing key, once.

use axum::extract::State;
use axum::response::Response;
use naru_shared::secret::OpaqueToken;
use naru_shared::store::NewBillingKey;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{AUTH_KEY_PREFIX, BillingView, issued, new_key, replay};
use crate::answer::Keyed;
use crate::app::App;
use crate::auth::Merchant;
use crate::body::{Check, TossBody};
use crate::headers::IdempotencyKey;
use crate::openapi::BillingRefusals;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::{refuse, refuse_free};

/// Characters of an authKey at most (Toss Payments: 300).
const AUTH_KEY_MAX: usize = 300;

/// What a customer came back with.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IssueBillingFields {
    /// From the query of `successUrl`: good once, for 10 minutes.
    auth_key: String,
    /// The merchant's name for its customer: the one it was asked for.
    customer_key: String,
}

/// Makes a billing key of a card that its customer authenticated.
#[utoipa::path(
    post,
    path = "/v1/billing/authorizations/issue",
    tag = "Billing",
    request_body = IssueBillingFields,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 300 printable ASCII characters, remembered for 15 days")),
    responses(
        (status = 200, description = "Issued", body = BillingView),
        BillingRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn issue(
    State(app): State<App>,
    merchant: Merchant,
    key: Option<IdempotencyKey>,
    body: TossBody<IssueBillingFields>,
) -> Result<Response, Problem> {
    let fingerprint = body.fingerprint(app.keys.fingerprints());
    let fields = body.fields;
    let mut check = Check::new();
    let customer_key = check.customer_key("customerKey", &fields.customer_key);
    let is_text = fields.auth_key.bytes().all(|byte| byte.is_ascii_graphic());
    let is_text = is_text && (1..=AUTH_KEY_MAX).contains(&fields.auth_key.len());
    let text = check.require("authKey", &fields.auth_key, is_text, "must be 1 to 300 printable ASCII characters");
    let (customer_key, text) = check.finish(|| Some((customer_key?, text?)))?;

    let tenant = merchant.tenant();
    let keyed = Keyed::of(&app, key, "POST /v1/billing/authorizations/issue".into(), &fingerprint);
    if let Some(answer) = replay(&app, &merchant, tenant, keyed.as_ref()).await? {
        return Ok(answer);
    }
    let invalid = || Problem::because(Reason::AuthKeyInvalid);
    let hash = OpaqueToken::parse(AUTH_KEY_PREFIX, text).ok_or_else(invalid)?.hash();
    let (id, billing_key) = new_key();
    let new = NewBillingKey { id, key: billing_key.expose(), tenant, customer_key };
    match app.store.issue_billing_key(&new, &hash, keyed.as_ref().map(|keyed| &*keyed.key)).await {
        Ok(Some(key)) => Ok(issued(&merchant, &key)),
        // Either key was used: by the same request, which was faster, or by another one.
        Ok(None) => {
            if let Some(answer) = replay(&app, &merchant, tenant, keyed.as_ref()).await? {
                return Ok(answer);
            }
            let request = app.store.find_authenticated(tenant, &hash).await.map_err(refuse)?;
            Err(match request {
                Some(request) if request.is_authenticated && request.customer_key != customer_key => {
                    Problem::of(Code::NotMatchesCustomerKey)
                }
                Some(_) | None => invalid(),
            })
        }
        Err(error) if error.is_constraint("idempotency_keys_unique") => {
            let answer = replay(&app, &merchant, tenant, keyed.as_ref()).await?;
            answer.ok_or_else(|| Problem::because(Reason::InternalError))
        }
        Err(error) => Err(refuse_free(error)),
    }
}
