//! `GET /payer/v1/me`: who is signed in.

use axum::Json;

use super::session::{Account, Payer};
use crate::openapi::LookRefusals;
use crate::problem::Problem;

/// Who is signed in.
#[utoipa::path(
    get,
    path = "/payer/v1/me",
    tag = "Payers",
    responses(
        (status = 200, description = "The account of this session", body = Account),
        LookRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn me(payer: Payer) -> Result<Json<Account>, Problem> {
    Ok(Json(Account::of(payer.mode, &payer.email)))
}
