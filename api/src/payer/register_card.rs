//! `POST /payer/v1/cards`: a card is exchanged for the card company's token, and that is kept.

use axum::Json;
use axum::extract::State;
use naru_shared::acquirer::PLATFORM_MID;
use naru_shared::clock::Ids as _;
use naru_shared::domain::id::CardId;
use naru_shared::store::NewCard;
use naru_shared::system::System;
use naru_shared::telemetry::mask;
use serde::Deserialize;
use utoipa::ToSchema;

use super::card::{CardOnFile, missing};
use super::session::Payer;
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::browser::{Address, OwnPage};
use crate::context::RequestContext;
use crate::merchant::{CardFields, register};
use crate::openapi::RegisterRefusals;
use crate::problem::{Problem, Reason};
use crate::rates::CARDS_OF_PAYER;
use crate::unavailable::{refuse, refuse_free};

/// Characters of a nickname at most.
const NICKNAME_MAX: usize = 40;

/// A card as it is typed. Forgotten as soon as the card company has given a token for it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewCardFields {
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
    /// The three or four digits on the card.
    cvc: Option<String>,
    /// What to call it, one line of 1 to 40 characters.
    nickname: Option<String>,
}

/// Registers a card with the card company and keeps its token. A card that is kept already stays one, with a new token.
#[utoipa::path(
    post,
    path = "/payer/v1/cards",
    tag = "Payers",
    request_body = NewCardFields,
    responses(
        (status = 200, description = "Kept, now or before", body = CardOnFile),
        RegisterRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn register_card(
    State(app): State<App>,
    _: OwnPage,
    payer: Payer,
    address: Address,
    context: RequestContext,
    body: OwnBody<NewCardFields>,
) -> Result<Json<CardOnFile>, Problem> {
    let fields = body.into_fields();
    let mut check = Check::new();
    let nickname = check.optional(fields.nickname.as_deref(), |check, text| {
        let text = check.line("nickname", text, NICKNAME_MAX, "must be one line of 1 to 40 characters")?;
        // Somebody will call a card by its number.
        check.require("nickname", text.to_owned(), mask(text) == text, "must not look like a card number")
    });
    let card = CardFields {
        card_number: fields.card_number,
        card_expiration_year: fields.card_expiration_year,
        card_expiration_month: fields.card_expiration_month,
        card_password: fields.card_password,
        customer_identity_number: fields.customer_identity_number,
        cvc: fields.cvc,
        card_installment_plan: None,
    }
    .check(&mut check);
    let (card, nickname) = check.finish(|| Some((card?, nickname?)))?;

    let who = app.rates.who(&[b"payer", payer.id.0.as_bytes()]);
    let registering = app.rates.registering(address, payer.mode).await?;
    app.rates.count(CARDS_OF_PAYER, &who).await?;
    let registered = register(&app, PLATFORM_MID, &card, context.trace).await;
    drop(card);
    match &registered {
        Ok(_) => drop(registering),
        // Nobody judged it.
        Err(problem) if problem.status().is_server_error() => app.rates.give_back(CARDS_OF_PAYER, &who).await,
        Err(_) => registering.declined().await,
    }
    let card = registered?;
    let new = NewCard { id: CardId(System.unguessable()), payer: payer.id, card: &card, nickname: nickname.as_deref() };
    let kept = app.store.keep_card(&new).await.map_err(|error| match error {
        error if error.is_constraint("payers_card_count") => Problem::because(Reason::TooManyStoredCards)
            .detail("카드는 20장까지 등록할 수 있습니다.", "At most 20 cards are kept: delete one first."),
        error => refuse_free(error),
    })?;
    let stored = app.store.find_card(payer.id, kept.id).await.map_err(refuse)?.ok_or_else(missing)?;
    Ok(Json(CardOnFile::of(&stored)))
}
