//! `DELETE /payer/v1/cards/{cardId}`: a card is forgotten.

use axum::Json;
use axum::extract::{Path, State};

use super::card::{CardsOnFile, card_id, cards, missing};
use super::session::Payer;
use crate::app::App;
use crate::browser::OwnPage;
use crate::openapi::CardRefusals;
use crate::problem::Problem;
use crate::unavailable::refuse_free;

/// Forgets a card. What was paid with it stays as it was.
#[utoipa::path(
    delete,
    path = "/payer/v1/cards/{cardId}",
    tag = "Payers",
    params(("cardId" = String, Path, description = "Of a card of one's own")),
    responses(
        (status = 200, description = "Forgotten; the cards that are left", body = CardsOnFile),
        CardRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn delete_card(
    State(app): State<App>,
    _: OwnPage,
    payer: Payer,
    Path(card): Path<String>,
) -> Result<Json<CardsOnFile>, Problem> {
    let card = card_id(&card).ok_or_else(missing)?;
    match app.store.forget_card(payer.id, card).await.map_err(refuse_free)? {
        true => cards(&app, &payer).await,
        false => Err(missing()),
    }
}
