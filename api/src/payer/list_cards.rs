//! `GET /payer/v1/cards`: the cards a payer keeps.

use axum::Json;
use axum::extract::State;

use super::card::{CardsOnFile, cards};
use super::session::Payer;
use crate::app::App;
use crate::openapi::LookRefusals;
use crate::problem::Problem;

/// The cards this payer keeps.
#[utoipa::path(
    get,
    path = "/payer/v1/cards",
    tag = "Payers",
    responses(
        (status = 200, description = "All of them", body = CardsOnFile),
        LookRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn list_cards(State(app): State<App>, payer: Payer) -> Result<Json<CardsOnFile>, Problem> {
    cards(&app, &payer).await
}
