//! `DELETE /v1/billing/{billingKey}`: the merchant gives a billing key up.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{missing, named};
use crate::app::App;
use crate::auth::Merchant;
use crate::openapi::BillingKeyRefusals;
use crate::problem::Problem;
use crate::unavailable::refuse_free;

/// Nothing is left to be said of a key that was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deleted {}

/// Deletes a billing key, now or before. A charge that was accepted goes on; none is accepted afterwards.
#[utoipa::path(
    delete,
    path = "/v1/billing/{billingKey}",
    tag = "Billing",
    params(("billingKey" = String, Path, description = "Which card")),
    responses(
        (status = 200, description = "Deleted, now or before", body = Deleted),
        BillingKeyRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn delete(
    State(app): State<App>,
    merchant: Merchant,
    Path(billing_key): Path<String>,
) -> Result<Json<Deleted>, Problem> {
    let key = named(&billing_key)?;
    match app.store.delete_billing_key(merchant.tenant(), key.expose()).await.map_err(refuse_free)? {
        true => Ok(Json(Deleted {})),
        false => Err(missing()),
    }
}
