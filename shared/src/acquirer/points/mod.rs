//! 포인트: the issuer of the payer's points. Its wire form is in `simulator/README.md`.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::company::{Company, Means, Speaks};
use super::wire::is_token;
use super::{AcquirerConfig, NoClient, RegisterError, Registers, TypedMember, hex};
use crate::domain::failure::FailureCode;
use crate::domain::instrument::{Instrument, Points};

/// Who issues the points, by the name that payers know.
const PROVIDER: &str = "나루포인트";

/// The connector.
pub struct Issuer {
    company: Company,
    fingerprint_key: [u8; 32],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Register<'a> {
    member_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    merchant_id: &'a str,
}

#[derive(Deserialize)]
struct Registered {
    token: String,
}

/// What a refusal means to a merchant.
fn meaning(code: &str) -> FailureCode {
    match code {
        // No such member, one whose membership is over, another's.
        "14" | "54" | "63" | "82" => FailureCode::InvalidAuthorizeAuth,
        "51" => FailureCode::RejectAccountPayment,
        "55" => FailureCode::InvalidPassword,
        "59" => FailureCode::FdsError,
        "61" => FailureCode::ExceedMaxOneDayAmount,
        "65" => FailureCode::ExceedMaxDailyPaymentCount,
        "91" | "96" => FailureCode::ProviderError,
        // Stopped, and whatever else it may say: it said no.
        _ => FailureCode::RejectCardCompany,
    }
}

impl Issuer {
    /// A connector to this issuer. Connects when first used.
    ///
    /// # Errors
    /// When no HTTP client can be made (no TLS roots, say).
    pub fn new(config: &AcquirerConfig) -> Result<Self, NoClient> {
        Ok(Self { company: Company::new(config, "points/v1", meaning)?, fingerprint_key: config.fingerprint_key })
    }

    async fn register(&self, mid: &str, member: &TypedMember, traceparent: &str) -> Result<Points, RegisterError> {
        let body = Register {
            member_number: member.number.expose(),
            password: member.password.as_ref().map(|password| password.expose()),
            merchant_id: mid,
        };
        let Registered { token } = self.company.register("members", &body, traceparent).await?;
        if !is_token(&token) {
            return Err(RegisterError::Unavailable("malformed".into()));
        }
        Ok(Points {
            token,
            provider: PROVIDER.into(),
            last4: member.number.last4().to_owned(),
            fingerprint: hex(&member.number.fingerprint(&self.fingerprint_key)),
        })
    }
}

impl Registers<TypedMember> for Issuer {
    fn register<'a>(
        &'a self,
        mid: &'a str,
        typed: &'a TypedMember,
        traceparent: &'a str,
    ) -> BoxFuture<'a, Result<Points, RegisterError>> {
        self.register(mid, typed, traceparent).boxed()
    }
}

impl Speaks for Issuer {
    fn company(&self) -> &Company {
        &self.company
    }

    fn means<'a>(&self, instrument: &'a Instrument) -> Option<Means<'a>> {
        let Instrument::Points(member) = instrument else { return None };
        Some(Means::of(&member.token))
    }
}
