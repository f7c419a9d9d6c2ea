//! What goes over the wire to the bank and comes back.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issue<'a> {
    pub reference: &'a str,
    pub merchant_id: &'a str,
    pub order_id: &'a str,
    pub bank_code: &'a str,
    pub amount: i64,
    pub currency: &'a str,
    pub customer_name: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Close<'a> {
    pub reference: &'a str,
    pub original_reference: &'a str,
    pub merchant_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PayOut<'a> {
    pub reference: &'a str,
    pub original_reference: &'a str,
    pub merchant_id: &'a str,
    pub order_id: &'a str,
    pub amount: i64,
    pub currency: &'a str,
    pub purpose: &'static str,
    pub transaction_key: &'a str,
    pub bank_code: &'static str,
    pub account_number: &'a str,
    pub holder_name: &'a str,
}

/// An account, and what came of asking for it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    pub reference: String,
    pub result: String,
    #[serde(default)]
    pub response_code: String,
    pub amount: Option<i64>,
    pub currency: Option<String>,
    pub account_number: Option<String>,
    pub state: Option<String>,
    #[serde(default)]
    pub balance: i64,
    #[serde(default)]
    pub deposits: Vec<Deposit>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deposit {
    pub transaction_key: String,
    pub amount: i64,
    pub depositor_name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub state: String,
}
