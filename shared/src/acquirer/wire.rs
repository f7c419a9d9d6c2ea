//! What goes over the wire to every acquirer and comes back, whatever it takes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Approve<'a> {
    pub reference: &'a str,
    pub merchant_id: &'a str,
    pub order_id: &'a str,
    pub token: &'a str,
    pub amount: i64,
    pub currency: &'a str,
    /// What this acquirer is told and others are not.
    #[serde(flatten)]
    pub terms: &'a Map<String, Value>,
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
    /// What an inquiry is about: `approve`, `cancel`, `refund`, `capture`.
    pub kind: Option<String>,
    #[serde(default)]
    pub response_code: String,
    /// Why it was declined, more finely than the code.
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

/// Whether what is to be stored for years is what an acquirer's token is: printable, and not endless.
pub(super) fn is_token(token: &str) -> bool {
    (1..=200).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
}
