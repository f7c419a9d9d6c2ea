//! `POST /checkout/v1/{checkoutId}/phone-verification`: the carrier sends the payer's phone a code.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::acquirer::TypedPhone;
use naru_shared::domain::instrument::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::means::refuse_method;
use super::{find, refuse_unless_ready};
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::browser::{Address, NoOtherPage};
use crate::context::RequestContext;
use crate::merchant::exchange;
use crate::openapi::PayerRefusals;
use crate::problem::Problem;
use crate::rates::CODES_TO_PHONE;
use crate::view::seoul;

/// Whose phone it is. Forgotten as soon as the carrier has sent a code.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhoneFields {
    /// `SKT`, `KT`, `LGU` or `MVNO`.
    #[schema(example = "SKT")]
    carrier: String,
    /// 10 or 11 digits; spaces and hyphens are tolerated.
    #[schema(example = "01012345678")]
    phone_number: String,
    /// Its owner's birthday, six digits.
    #[schema(example = "900101")]
    birth_date: String,
}

/// A code is on its way.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhoneVerification {
    /// What to send with the code, to `authenticate`.
    verification_id: String,
    /// Until when, at +09:00.
    expires_at: String,
}

impl PhoneFields {
    fn check(self, check: &mut Check) -> Option<TypedPhone> {
        let carrier = check.carrier("carrier", &self.carrier);
        let number = check.phone_number("phoneNumber", &self.phone_number);
        let birth = check.birth_date("birthDate", &self.birth_date);
        Some(TypedPhone { carrier: carrier?, number: number?, birth: birth? })
    }
}

/// Has the carrier send the phone a code, which `authenticate` then asks for. Changes nothing of the payment.
#[utoipa::path(
    post,
    path = "/checkout/v1/{checkoutId}/phone-verification",
    tag = "Checkout",
    request_body = PhoneFields,
    params(("checkoutId" = String, Path, description = "From `checkout.url`")),
    responses(
        (status = 200, description = "The code is on its way", body = PhoneVerification),
        PayerRefusals,
    )
)]
pub(super) async fn verify(
    State(app): State<App>,
    _: NoOtherPage,
    context: RequestContext,
    address: Address,
    Path(checkout_id): Path<String>,
    body: OwnBody<PhoneFields>,
) -> Result<Json<PhoneVerification>, Problem> {
    let mut check = Check::new();
    let phone = body.into_fields().check(&mut check);
    let phone = check.finish(|| phone)?;
    let payment = find(&app, &checkout_id).await?;
    refuse_unless_ready(&payment)?;
    refuse_method(&payment, Method::Mobile)?;
    // It counts whether it works or not: a checkout is no place to have other people's phones ring.
    app.tries.count(payment.id)?;
    let registering =
        app.rates.registering(address, payment.tenant.mode).await.inspect_err(|_| app.tries.give_back(payment.id))?;
    let whose = app.rates.who(&[b"phone", payment.tenant.mode.as_str().as_bytes(), phone.number.expose().as_bytes()]);
    app.rates.count(CODES_TO_PHONE, &whose).await?;
    let sent = exchange(&*app.phones, &payment.mid, &phone, context.trace).await;
    drop(phone);
    match &sent {
        Ok(_) => drop(registering),
        Err(problem) if problem.status().is_server_error() => {
            app.tries.give_back(payment.id);
            app.rates.give_back(CODES_TO_PHONE, &whose).await;
        }
        Err(_) => registering.declined().await,
    }
    let sent = sent?;
    Ok(Json(PhoneVerification { verification_id: sent.id, expires_at: seoul(sent.expires_at) }))
}
