//! `GET /checkout/v1/{checkoutId}`: what the payer is asked to pay.

use axum::Json;
use axum::extract::{Path, State};

use super::{CheckoutPayment, find};
use crate::app::App;
use crate::context::RequestContext;
use crate::openapi::ShowRefusals;
use crate::problem::Problem;

/// What the payer is asked to pay.
#[utoipa::path(
    get,
    path = "/checkout/v1/{checkoutId}",
    tag = "Checkout",
    params(("checkoutId" = String, Path, description = "From `checkout.url`")),
    responses(
        (status = 200, description = "As it stands", body = CheckoutPayment),
        ShowRefusals,
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    context: RequestContext,
    Path(checkout_id): Path<String>,
) -> Result<Json<CheckoutPayment>, Problem> {
    let payment = find(&app, &checkout_id).await?;
    Ok(Json(CheckoutPayment::of(&app, &payment, context.language)))
}
