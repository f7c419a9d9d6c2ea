//! What a gateway may ask of the company. No card number gets this far: see [`super::card`].

use serde::{Deserialize, Serialize};

use super::{Amount, CardFacts, Code, Currency, Id};

/// The kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Exchange a card for a token.
    Register,
    /// Charge a card.
    Approve,
    /// Fix a charge for settlement; from then on money goes back by refund only.
    Capture,
    /// Take back a charge, whole or part, before capture.
    Cancel,
    /// Give money back after capture.
    Refund,
    /// Undo whatever was charged under a reference, because its answer never came.
    NetCancel,
    /// What became of a reference?
    Inquire,
}

impl Call {
    /// The word in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Approve => "approve",
            Self::Capture => "capture",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
            Self::NetCancel => "net_cancel",
            Self::Inquire => "inquire",
        }
    }
}

/// One request, understood.
#[derive(Clone, Debug)]
pub enum Ask {
    /// `POST /v1/cards`
    Register(Register),
    /// `POST /v1/approvals`
    Approve(Approve),
    /// `POST /v1/captures`, `/v1/cancels`, `/v1/refunds`: the call says which.
    Change(Call, Change),
    /// `POST /v1/net-cancels`
    NetCancel(NetCancel),
    /// `GET /v1/transactions/{reference}`
    Inquire(Id),
}

/// A card to keep under a token. The number is already gone.
#[derive(Clone, Debug)]
pub struct Register {
    /// The token to give, chosen by the caller.
    pub token: Id,
    /// The merchant the token will be good for.
    pub merchant_id: Id,
    /// What may be known of the card, or why it was refused.
    pub card: Result<CardFacts, Code>,
}

/// A charge.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approve {
    /// The gateway's name for this attempt.
    pub reference: Id,
    /// The merchant.
    pub merchant_id: Id,
    /// The merchant's order.
    pub order_id: Id,
    /// The card.
    pub token: Id,
    /// How much, in minor units.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
    /// Months of instalment; 0 or absent is one payment.
    #[serde(default)]
    pub installment_months: u8,
}

/// A capture, cancel or refund of an approved charge.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The gateway's name for this attempt.
    pub reference: Id,
    /// The reference the charge was approved under.
    pub original_reference: Id,
    /// The merchant.
    pub merchant_id: Id,
    /// The merchant's order.
    pub order_id: Id,
    /// How much, in minor units.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

/// A net-cancel (망취소).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetCancel {
    /// The gateway's name for this attempt.
    pub reference: Id,
    /// The reference whose charge should not be.
    pub original_reference: Id,
    /// The merchant.
    pub merchant_id: Id,
    /// The amount the gateway had asked for. What is undone is what was charged, even if it differs.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

/// What can be said about a request before it is acted on: what scripts match by.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The kind of request.
    pub call: Call,
    /// Its own reference.
    pub reference: Option<Id>,
    /// The reference it is about.
    pub original_reference: Option<Id>,
    /// The merchant.
    pub merchant_id: Option<Id>,
    /// The order, by way of the original when the request doesn't carry it.
    pub order_id: Option<Id>,
    /// The card, likewise.
    pub token: Option<Id>,
    /// The amount, likewise.
    pub amount: Option<i64>,
}
