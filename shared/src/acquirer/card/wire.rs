//! What only the card company is told, and tells, of a card.

use serde::{Deserialize, Serialize};

use super::super::wire::is_token;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Register<'a> {
    pub number: &'a str,
    pub expiry_year: &'a str,
    pub expiry_month: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cvc: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_number: Option<&'a str>,
    pub merchant_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Registered {
    pub token: String,
    pub issuer_code: String,
    pub acquirer_code: String,
    pub card_type: String,
    pub owner_type: String,
}

impl Registered {
    /// Whether what is to be stored for years is what a card company sends.
    pub(super) fn is_sound(&self) -> bool {
        let code = |code: &str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_token(&self.token) && code(&self.issuer_code) && code(&self.acquirer_code)
    }
}
