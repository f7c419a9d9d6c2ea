//! `POST /payer/v1/payments/{checkoutId}/cancel`: the payer changes their mind about a payment of theirs.

use axum::Json;
use axum::extract::{Path, State};

use super::session::Payer;
use super::sign_out::Nothing;
use crate::app::App;
use crate::body::OwnBody;
use crate::browser::OwnPage;
use crate::checkout::{CheckoutPayment, cancel_before_paying};
use crate::context::RequestContext;
use crate::openapi::OwnPaymentRefusals;
use crate::problem::Problem;

/// Cancels, before paying, what was authenticated with a stored card. Once a confirm was accepted it is too late.
#[utoipa::path(
    post,
    path = "/payer/v1/payments/{checkoutId}/cancel",
    tag = "Payers",
    request_body = Nothing,
    params(("checkoutId" = String, Path, description = "Of a payment of one's own")),
    responses(
        (status = 200, description = "Cancelled, now or before: go to `nextUrl`", body = CheckoutPayment),
        OwnPaymentRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn cancel(
    State(app): State<App>,
    _: OwnPage,
    payer: Payer,
    context: RequestContext,
    Path(checkout_id): Path<String>,
    _body: OwnBody<Nothing>,
) -> Result<Json<CheckoutPayment>, Problem> {
    cancel_before_paying(&app, &context, &checkout_id, Some(payer.id)).await
}
