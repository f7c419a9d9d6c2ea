//! `POST /payer/v1/cards/{cardId}/default`: the card that is offered first.

use axum::Json;
use axum::extract::{Path, State};

use super::card::{CardsOnFile, card_id, cards, missing};
use super::session::Payer;
use super::sign_out::Nothing;
use crate::app::App;
use crate::body::OwnBody;
use crate::browser::OwnPage;
use crate::openapi::CardRefusals;
use crate::problem::Problem;
use crate::unavailable::refuse_free;

/// Has a card offered first.
#[utoipa::path(
    post,
    path = "/payer/v1/cards/{cardId}/default",
    tag = "Payers",
    request_body = Nothing,
    params(("cardId" = String, Path, description = "Of a card of one's own")),
    responses(
        (status = 200, description = "Offered first from now on; all cards", body = CardsOnFile),
        CardRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn prefer_card(
    State(app): State<App>,
    _: OwnPage,
    payer: Payer,
    Path(card): Path<String>,
    _body: OwnBody<Nothing>,
) -> Result<Json<CardsOnFile>, Problem> {
    let card = card_id(&card).ok_or_else(missing)?;
    match app.store.prefer_card(payer.id, card).await.map_err(refuse_free)? {
        true => cards(&app, &payer).await,
        false => Err(missing()),
    }
}
