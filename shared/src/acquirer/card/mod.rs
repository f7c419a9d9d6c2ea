//! The card company. Its wire form is described in `simulator/README.md`, which stands in for it in the sandbox.

mod codes;
mod wire;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::company::Company;
use super::{Acquirer, AcquirerConfig, NoClient, Order, RegisterError, Registers, TypedCard, hex};
use crate::domain::attempt::{ApproveAnswer, Call, ChangeAnswer, InquiryAnswer, Manners, NetCancelAnswer};
use crate::domain::id::Reference;
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

impl Acquirer for CardCompany {
    fn manners(&self) -> Manners {
        self.company.manners()
    }

    fn approve<'a>(&'a self, order: Order<'a>, reference: &'a Reference) -> BoxFuture<'a, ApproveAnswer> {
        async move {
            let Some(Instrument::Card(card)) = order.payment.state.instrument() else {
                return ApproveAnswer::NotSent("no_card".into());
            };
            let terms = wire::Terms { installment_months: card.installment_months };
            self.company.approve(order, reference, &card.token, &terms).await
        }
        .boxed()
    }

    fn change<'a>(&'a self, order: Order<'a>, call: Call, reference: &'a Reference) -> BoxFuture<'a, ChangeAnswer> {
        self.company.change(order, call, reference).boxed()
    }

    fn inquire<'a>(&'a self, order: Order<'a>, reference: &'a Reference) -> BoxFuture<'a, InquiryAnswer> {
        self.company.inquire(order, reference).boxed()
    }

    fn net_cancel<'a>(
        &'a self,
        order: Order<'a>,
        reference: &'a Reference,
        target: &'a Reference,
    ) -> BoxFuture<'a, NetCancelAnswer> {
        self.company.net_cancel(order, reference, target).boxed()
    }
}
