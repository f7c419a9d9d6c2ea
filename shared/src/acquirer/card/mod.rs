//! The card company. Its wire form is described in `simulator/README.md`, which stands in for it in the sandbox.

mod codes;
mod wire;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::company::{Company, Means, Speaks};
use super::{AcquirerConfig, NoClient, RegisterError, Registers, TypedCard, hex};
use crate::domain::instrument::{Card, Instrument};

/// The connector.
pub struct CardCompany {
    company: Company,
    fingerprint_key: [u8; 32],
}

impl CardCompany {
    /// A connector to this card company. Connects when first used.
    ///
    /// # Errors
    /// When no HTTP client can be made (no TLS roots, say).
    pub fn new(config: &AcquirerConfig) -> Result<Self, NoClient> {
        Ok(Self { company: Company::new(config, "v1", codes::meaning)?, fingerprint_key: config.fingerprint_key })
    }

    async fn register(&self, mid: &str, card: &TypedCard, traceparent: &str) -> Result<Card, RegisterError> {
        let body = wire::Register {
            number: card.number.expose(),
            expiry_year: &card.expiry.year_digits(),
            expiry_month: &card.expiry.month_digits(),
            cvc: card.cvc.as_ref().map(|cvc| cvc.expose()),
            password: card.password.as_ref().map(|password| password.expose()),
            identity_number: card.identity.as_ref().map(|identity| identity.expose()),
            merchant_id: mid,
        };
        let token: wire::Registered = self.company.register("cards", &body, traceparent).await?;
        if !token.is_sound() {
            return Err(RegisterError::Unavailable("malformed".into()));
        }
        Ok(Card {
            token: token.token,
            bin: card.number.bin().to_owned(),
            last4: card.number.last4().to_owned(),
            fingerprint: hex(&card.number.fingerprint(&self.fingerprint_key)),
            issuer_code: token.issuer_code,
            acquirer_code: token.acquirer_code,
            card_type: codes::card_type(&token.card_type),
            owner_type: codes::owner_type(&token.owner_type),
            installment_months: card.installment_months,
        })
    }
}

impl Registers<TypedCard> for CardCompany {
    fn register<'a>(
        &'a self,
        mid: &'a str,
        typed: &'a TypedCard,
        traceparent: &'a str,
    ) -> BoxFuture<'a, Result<Card, RegisterError>> {
        self.register(mid, typed, traceparent).boxed()
    }
}

impl Speaks for CardCompany {
    fn company(&self) -> &Company {
        &self.company
    }

    fn means<'a>(&self, instrument: &'a Instrument) -> Option<Means<'a>> {
        let Instrument::Card(card) = instrument else { return None };
        Some(Means::of(&card.token).with("installmentMonths", card.installment_months))
    }
}
