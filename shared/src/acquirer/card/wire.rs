//! What goes over the wire to the card company and comes back.

use serde::{Deserialize, Serialize};

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
    /// Whether what is to be stored for years is what a card company sends: printable, and not endless.
    pub(super) fn is_sound(&self) -> bool {
        let code = |code: &str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let token = (1..=200).contains(&self.token.len()) && self.token.bytes().all(|byte| byte.is_ascii_graphic());
        token && code(&self.issuer_code) && code(&self.acquirer_code)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Approve<'a> {
    pub reference: &'a str,
    pub merchant_id: &'a str,
    pub order_id: &'a str,
    pub token: &'a str,
    pub amount: i64,
    pub currency: &'a str,
    pub installment_months: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NetCancel<'a> {
    pub reference: &'a str,
    pub original_reference: &'a str,
    pub merchant_id: &'a str,
    pub amount: i64,
    pub currency: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change<'a> {
    pub reference: &'a str,
    pub original_reference: &'a str,
    pub merchant_id: &'a str,
    pub order_id: &'a str,
    pub amount: i64,
    pub currency: &'a str,
}

/// An approval, a change of one, or what an inquiry tells of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transaction {
    pub reference: String,
    pub result: String,
    #[serde(default)]
    pub response_code: String,
    /// Why a change was declined.
    pub reason: Option<String>,
    pub amount: Option<i64>,
    pub currency: Option<String>,
    pub approval_number: Option<String>,
    /// Who pays the interest of instalments.
    pub interest_payer: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reversal {
    pub original_reference: String,
    pub result: String,
    pub response_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Complaint {
    #[serde(default)]
    pub response_code: String,
}
