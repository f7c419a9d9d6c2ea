//! 휴대폰: the carrier that puts a payment on the bill of the payer's phone. Its wire form is in `simulator/README.md`.
//!
//! A phone is registered in two steps: the carrier sends it a code, and gives a token to whoever knows that code.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::company::{Company, Means, Speaks};
use super::wire::is_token;
use super::{AcquirerConfig, NoClient, RegisterError, Registers, TypedCode, TypedPhone, Verification};
use crate::domain::failure::FailureCode;
use crate::domain::instrument::{Instrument, Mobile};

/// The connector.
pub struct Carrier {
    company: Company,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verify<'a> {
    carrier: &'a str,
    phone_number: &'a str,
    birth: &'a str,
    merchant_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verifying {
    verification_id: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: time::OffsetDateTime,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscribe<'a> {
    verification_id: &'a str,
    code: &'a str,
    merchant_id: &'a str,
}

#[derive(Deserialize)]
struct Subscribed {
    token: String,
    carrier: String,
    last4: String,
}

impl Subscribed {
    /// Whether what is to be stored for years is what a carrier sends.
    fn is_sound(&self) -> bool {
        let carrier =
            (1..=10).contains(&self.carrier.len()) && self.carrier.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let last4 = self.last4.len() == 4 && self.last4.bytes().all(|byte| byte.is_ascii_digit());
        is_token(&self.token) && carrier && last4
    }
}

/// What a refusal means to a merchant.
fn meaning(code: &str) -> FailureCode {
    match code {
        // No such phone or verification, one that is over, somebody else's birthday.
        "14" | "54" | "63" | "82" => FailureCode::InvalidAuthorizeAuth,
        "55" => FailureCode::InvalidPassword,
        "59" => FailureCode::FdsError,
        "61" => FailureCode::ExceedMaxPaymentAmount,
        "65" => FailureCode::ExceedMaxDailyPaymentCount,
        "75" => FailureCode::ExceedMaxAuthCount,
        "91" | "96" => FailureCode::ProviderError,
        // Blocked, lost, and whatever else it may say: it said no.
        _ => FailureCode::RejectCardCompany,
    }
}

impl Carrier {
    /// A connector to this carrier. Connects when first used.
    ///
    /// # Errors
    /// When no HTTP client can be made (no TLS roots, say).
    pub fn new(config: &AcquirerConfig) -> Result<Self, NoClient> {
        Ok(Self { company: Company::new(config, "carrier/v1", meaning)? })
    }

    async fn verify(&self, mid: &str, phone: &TypedPhone, traceparent: &str) -> Result<Verification, RegisterError> {
        let body = Verify {
            carrier: phone.carrier.as_str(),
            phone_number: phone.number.expose(),
            birth: phone.birth.expose(),
            merchant_id: mid,
        };
        let verifying: Verifying = self.company.register("verifications", &body, traceparent).await?;
        let id = &verifying.verification_id;
        let is_word = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !is_word || !(1..=100).contains(&id.len()) {
            return Err(RegisterError::Unavailable("malformed".into()));
        }
        Ok(Verification { id: verifying.verification_id, expires_at: verifying.expires_at })
    }

    async fn subscribe(&self, mid: &str, typed: &TypedCode, traceparent: &str) -> Result<Mobile, RegisterError> {
        let body = Subscribe { verification_id: &typed.verification, code: typed.code.expose(), merchant_id: mid };
        let subscribed: Subscribed = self.company.register("subscribers", &body, traceparent).await?;
        if !subscribed.is_sound() {
            return Err(RegisterError::Unavailable("malformed".into()));
        }
        let Subscribed { token, carrier, last4 } = subscribed;
        Ok(Mobile { token, carrier, last4 })
    }
}

impl Registers<TypedPhone> for Carrier {
    fn register<'a>(
        &'a self,
        mid: &'a str,
        typed: &'a TypedPhone,
        traceparent: &'a str,
    ) -> BoxFuture<'a, Result<Verification, RegisterError>> {
        self.verify(mid, typed, traceparent).boxed()
    }
}

impl Registers<TypedCode> for Carrier {
    fn register<'a>(
        &'a self,
        mid: &'a str,
        typed: &'a TypedCode,
        traceparent: &'a str,
    ) -> BoxFuture<'a, Result<Mobile, RegisterError>> {
        self.subscribe(mid, typed, traceparent).boxed()
    }
}

impl Speaks for Carrier {
    fn company(&self) -> &Company {
        &self.company
    }

    fn means<'a>(&self, instrument: &'a Instrument) -> Option<Means<'a>> {
        let Instrument::Mobile(phone) = instrument else { return None };
        Some(Means::of(&phone.token))
    }
}
