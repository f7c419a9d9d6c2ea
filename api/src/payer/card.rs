//! A stored card as its payer sees it.

use axum::Json;
use naru_shared::domain::id::CardId;
use naru_shared::store::StoredCard;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::session::Payer;
use crate::app::App;
use crate::problem::{Problem, Reason};
use crate::unavailable::refuse;
use crate::view::seoul;

/// What a card's id begins with on the wire.
const PREFIX: &str = "card_";

/// A card that is kept: never its number, never what it is told by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CardOnFile {
    /// What to name when paying with it.
    card_id: String,
    /// `VISA`, `MASTERCARD`, `AMEX`, `JCB`, `UNIONPAY`, `LOCAL` or `UNKNOWN`.
    brand: &'static str,
    /// Two-character code of the issuer.
    issuer_code: String,
    /// Two-character code of who buys the sales slips.
    acquirer_code: String,
    /// First six and last four digits.
    number: String,
    /// `신용`, `체크`, `기프트` or `미확인`.
    card_type: &'static str,
    /// `개인`, `법인` or `미확인`.
    owner_type: &'static str,
    /// What its payer calls it.
    nickname: Option<String>,
    /// Whether it is offered first.
    is_default: bool,
    /// Since when it is kept, at +09:00.
    registered_at: String,
}

/// The cards of a payer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CardsOnFile {
    /// The newest first; at most 20.
    data: Vec<CardOnFile>,
}

impl CardOnFile {
    pub(super) fn of(stored: &StoredCard) -> Self {
        let card = &stored.card;
        Self {
            card_id: format!("{PREFIX}{}", stored.id.0.simple()),
            brand: card.brand().as_str(),
            issuer_code: card.issuer_code.clone(),
            acquirer_code: card.acquirer_code.clone(),
            number: card.masked(),
            card_type: card.card_type.as_str(),
            owner_type: card.owner_type.as_str(),
            nickname: stored.nickname.clone(),
            is_default: stored.is_default,
            registered_at: seoul(stored.created_at),
        }
    }
}

/// The id that a text names, if it could be one.
pub(super) fn card_id(text: &str) -> Option<CardId> {
    let digits = text.strip_prefix(PREFIX).filter(|digits| digits.len() == 32)?;
    let is_ours = digits.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
    Uuid::try_parse(digits).ok().filter(|_| is_ours).map(CardId)
}

/// A card of this payer.
pub(super) async fn find_card(app: &App, payer: &Payer, text: &str) -> Result<StoredCard, Problem> {
    let id = card_id(text).ok_or_else(missing)?;
    app.store.find_card(payer.id, id).await.map_err(refuse)?.ok_or_else(missing)
}

/// All cards of this payer.
pub(super) async fn cards(app: &App, payer: &Payer) -> Result<Json<CardsOnFile>, Problem> {
    let cards = app.store.cards_of(payer.id).await.map_err(refuse)?;
    Ok(Json(CardsOnFile { data: cards.iter().map(CardOnFile::of).collect() }))
}

/// There is no such card, or it is somebody else's: nobody can tell.
pub(super) fn missing() -> Problem {
    Problem::because(Reason::NoSuchCard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_form() {
        let id = CardId(Uuid::from_u128(0xabcd));
        let text = format!("{PREFIX}{}", id.0.simple());
        assert_eq!(card_id(&text), Some(id));
        for wrong in [
            "".to_owned(),
            "card_".into(),
            text.to_uppercase(),
            text.replace("abcd", "ABCD"),
            format!("{text}0"),
            id.0.to_string(),
            format!("{PREFIX}{}", id.0),
            "4242424242424242".into(),
        ] {
            assert_eq!(card_id(&wrong), None, "{wrong}");
        }
    }
}
