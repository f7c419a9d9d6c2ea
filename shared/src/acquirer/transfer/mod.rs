//! 계좌이체: the bank that draws from the payer's account. Its wire form is in `simulator/README.md`.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::company::{Company, Means, Speaks};
use super::wire::is_token;
use super::{AcquirerConfig, NoClient, RegisterError, Registers, TypedAccount, hex};
use crate::domain::failure::FailureCode;
use crate::domain::instrument::{Instrument, Transfer};

/// The connector.
pub struct Bank {
    company: Company,
    fingerprint_key: [u8; 32],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Register<'a> {
    bank_code: &'a str,
    account_number: &'a str,
    holder_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_number: Option<&'a str>,
    merchant_id: &'a str,
}

#[derive(Deserialize)]
struct Registered {
    token: String,
}

/// What a refusal means to a merchant.
fn meaning(code: &str) -> FailureCode {
    match code {
        // No such account, another holder's (N1), not theirs (63), stopped or closed.
        "14" | "41" | "43" | "54" | "57" | "63" | "82" | "N1" => FailureCode::InvalidAccountInfo,
        "15" => FailureCode::InvalidBank,
        "55" => FailureCode::InvalidPassword,
        "59" => FailureCode::FdsError,
        "61" => FailureCode::ExceedMaxOneDayAmount,
        "65" => FailureCode::ExceedMaxDailyPaymentCount,
        "90" => FailureCode::NotAvailableBank,
        "91" | "96" => FailureCode::ProviderError,
        // 51, and whatever else it may say: the account does not pay.
        _ => FailureCode::RejectAccountPayment,
    }
}

impl Bank {
    /// A connector to this bank. Connects when first used.
    ///
    /// # Errors
    /// When no HTTP client can be made (no TLS roots, say).
    pub fn new(config: &AcquirerConfig) -> Result<Self, NoClient> {
        Ok(Self { company: Company::new(config, "bank/v1", meaning)?, fingerprint_key: config.fingerprint_key })
    }

    async fn register(&self, mid: &str, account: &TypedAccount, traceparent: &str) -> Result<Transfer, RegisterError> {
        let body = Register {
            bank_code: account.bank.as_str(),
            account_number: account.number.expose(),
            holder_name: account.holder.expose(),
            identity_number: account.identity.as_ref().map(|identity| identity.expose()),
            merchant_id: mid,
        };
        let Registered { token } = self.company.register("accounts", &body, traceparent).await?;
        if !is_token(&token) {
            return Err(RegisterError::Unavailable("malformed".into()));
        }
        Ok(Transfer {
            token,
            bank_code: account.bank.as_str().to_owned(),
            last4: account.number.last4().to_owned(),
            fingerprint: hex(&account.number.fingerprint(&self.fingerprint_key, account.bank.as_str())),
        })
    }
}

impl Registers<TypedAccount> for Bank {
    fn register<'a>(
        &'a self,
        mid: &'a str,
        typed: &'a TypedAccount,
        traceparent: &'a str,
    ) -> BoxFuture<'a, Result<Transfer, RegisterError>> {
        self.register(mid, typed, traceparent).boxed()
    }
}

impl Speaks for Bank {
    fn company(&self) -> &Company {
        &self.company
    }

    fn means<'a>(&self, instrument: &'a Instrument) -> Option<Means<'a>> {
        let Instrument::Transfer(account) = instrument else { return None };
        Some(Means::of(&account.token))
    }
}
