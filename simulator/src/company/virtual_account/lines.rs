//! What the journal keeps of virtual accounts, beside what every line has.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::deposit::Callback;
use super::pay_out::Purpose;
use crate::company::{Address, HolderFacts, Id, Name, Timestamp};

/// The terms of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssueLine {
    /// The number to pay into: `X` and 13 digits.
    pub account_number: Id,
    /// The bank it is at.
    pub bank_code: Id,
    /// Who is to pay.
    pub customer_name: Name,
    /// Until when. The bank takes deposits after it, too, until it is told to close the account.
    pub due_at: Timestamp,
    /// Where deposits are announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<Address>,
    /// A fault's name.
    pub behaviour: Cow<'static, str>,
}

/// A deposit, or a part of its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DepositLine {
    /// The account.
    pub account_number: Id,
    /// As it stands in the transfer.
    pub depositor_name: Name,
    /// How the gateway hears of it.
    pub callback: Callback,
}

/// A pay-out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayOutLine {
    /// The virtual account the money comes from.
    pub from: Id,
    /// What it is for.
    pub purpose: Purpose,
    /// The deposit that is returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_key: Option<Id>,
    /// To whom; left out when there is no such bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<HolderFacts>,
}

/// The end of a callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeLine {
    /// The event.
    pub event_id: Id,
}
