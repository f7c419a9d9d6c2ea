//! `POST /v1/billing/authorizations/card`: the merchant types its customer's card in, and it becomes a billing key.

use axum::extract::State;
use axum::response::Response;
use naru_shared::store::NewBillingKey;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{BillingView, issued, new_key, replay};
use crate::answer::Keyed;
use crate::app::App;
use crate::auth::Merchant;
use crate::body::{Check, TossBody};
use crate::context::RequestContext;
use crate::headers::IdempotencyKey;
use crate::merchant::card::{CardFields, register};
use crate::openapi::BillingRefusals;
use crate::problem::{Problem, Reason};
use crate::unavailable::refuse_free;

/// Whose card, and which.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BillingCardFields {
    /// The merchant's name for its customer: 2 to 300 of letters, digits, `-`, `_`, `=`, `.`, `@`. One nobody guesses.
    #[schema(example = "c0a8012e-6f3b-4b5e-9b1d-2d8c1f0e7a55")]
    customer_key: String,
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
    /// Looked at and not kept.
    customer_name: Option<String>,
    /// Looked at and not kept.
    customer_email: Option<String>,
}

/// Makes a billing key of a card that the merchant typed in.
#[utoipa::path(
    post,
    path = "/v1/billing/authorizations/card",
    tag = "Billing",
    request_body = BillingCardFields,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 300 printable ASCII characters, remembered for 15 days")),
    responses(
        (status = 200, description = "Issued", body = BillingView),
        BillingRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn authorize_card(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    key: Option<IdempotencyKey>,
    body: TossBody<BillingCardFields>,
) -> Result<Response, Problem> {
    let fingerprint = body.fingerprint(app.keys.fingerprints());
    let fields = body.into_fields();
    let mut check = Check::new();
    let customer_key = check.customer_key("customerKey", &fields.customer_key).map(str::to_owned);
    let name = check.optional(fields.customer_name.as_deref(), |check, text| check.person_name("customerName", text));
    let email = check.optional(fields.customer_email.as_deref(), |check, text| check.email("customerEmail", text));
    let (name, email) = (name.is_some(), email.is_some());
    let card = CardFields {
        card_number: fields.card_number,
        card_expiration_year: fields.card_expiration_year,
        card_expiration_month: fields.card_expiration_month,
        card_password: fields.card_password,
        customer_identity_number: fields.customer_identity_number,
        cvc: None,
        card_installment_plan: None,
    }
    .check(&mut check);
    let (card, customer_key) = check.finish(|| if name && email { Some((card?, customer_key?)) } else { None })?;

    let tenant = merchant.tenant();
    let keyed = Keyed::of(&app, key, "POST /v1/billing/authorizations/card".into(), &fingerprint);
    if let Some(answer) = replay(&app, &merchant, tenant, keyed.as_ref()).await? {
        return Ok(answer);
    }
    let registered = register(&app, &merchant.0.mid, &card, context.trace).await?;
    drop(card);
    let (id, billing_key) = new_key();
    let new = NewBillingKey { id, key: billing_key.expose(), tenant, customer_key: &customer_key };
    let key = keyed.as_ref().map(|keyed| &*keyed.key);
    match app.store.create_billing_key(&new, &registered, key).await {
        Ok(created) => Ok(issued(&merchant, &created)),
        // The same request was faster.
        Err(error) if error.is_constraint("idempotency_keys_unique") => {
            let answer = replay(&app, &merchant, tenant, keyed.as_ref()).await?;
            answer.ok_or_else(|| Problem::because(Reason::InternalError))
        }
        Err(error) => Err(refuse_free(error)),
    }
}
