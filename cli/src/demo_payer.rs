//! The payer that a developer's sandbox begins with, who keeps a test card.

use std::time::Duration;

use naru_shared::acquirer::card::CardCompany;
use naru_shared::acquirer::{AcquirerConfig, PLATFORM_MID, Registers as _, TypedCard};
use naru_shared::clock::{Ids as _, Random as _};
use naru_shared::domain::id::{CardId, Mode, PayerId};
use naru_shared::domain::operation::Connector;
use naru_shared::keys::{demo_payer_password, fingerprint_key};
use naru_shared::secret::{CardExpiry, CardNumber, Email, IdentityNumber, MasterSecret, Password, Secret};
use naru_shared::store::{NewCard, NewPayer, Store};
use naru_shared::system::System;
use naru_shared::telemetry::TraceContext;
use reqwest::Url;

use crate::Outcome;

const EMAIL: &str = "payer@naru.example";
/// A test card of the sandbox that is approved.
const CARD: &str = "4242424242424242";

/// Makes the payer, has the card company give a token for the card if there is one, and prints how to sign in.
pub(crate) async fn seed(store: &Store, master: &MasterSecret, card_company: Option<Url>) -> Outcome {
    let email = Email::parse(EMAIL).ok_or("the demo payer's address is none")?;
    // Derived, so that it can be printed again: the database keeps only its hash. For the sandbox alone.
    let password = demo_payer_password(master);
    let id = match store.find_payer(Mode::Test, &email).await? {
        Some(account) => account.id,
        None => {
            let id = PayerId(System.ordered());
            let hash = Password::parse(password.expose())?.hash(&System.bytes()).ok_or("no memory for a password")?;
            let new = NewPayer { id, mode: Mode::Test, email: &email, password_hash: &Secret::new(hash) };
            store.create_payer(&new, None).await?;
            id
        }
    };
    match card_company {
        Some(url) => keep_card(store, master, id, url).await?,
        None => eprintln!("naru: NARU_CARD_ACQUIRER_URL is not set, so the demo payer keeps no card"),
    }
    println!("NARU_PAYER_EMAIL={}", email.expose());
    println!("NARU_PAYER_PASSWORD={}", password.expose());
    Ok(())
}

async fn keep_card(store: &Store, master: &MasterSecret, payer: PayerId, url: Url) -> Outcome {
    if !store.cards_of(payer).await?.is_empty() {
        return Ok(());
    }
    let company = CardCompany::new(&AcquirerConfig {
        url,
        // Nothing is charged here: what these say of charges does not matter.
        dedupes_by_reference: true,
        settle_window: Duration::ZERO,
        fingerprint_key: fingerprint_key(master, Connector::Card),
    })?;
    let typed = TypedCard {
        number: CardNumber::parse(CARD)?,
        expiry: CardExpiry::parse("35", "12")?,
        cvc: None,
        password: None,
        identity: Some(IdentityNumber::parse("900101")?),
        installment_months: 0,
    };
    let trace = TraceContext::start(&System).to_header();
    let registered = company.register(PLATFORM_MID, &typed, &trace).await;
    let card = registered.map_err(|error| format!("the demo payer's card could not be registered: {error:?}"))?;
    let new = NewCard { id: CardId(System.unguessable()), payer, card: &card, nickname: Some("데모 카드") };
    store.keep_card(&new).await?;
    Ok(())
}
