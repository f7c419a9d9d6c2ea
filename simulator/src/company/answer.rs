//! What the company says when it tells the truth.

use serde::Serialize;

use super::{Amount, ApprovalNumber, Call, CardFacts, Code, Currency, Entry, Id, Outcome, Reason, Timestamp};

/// An answer's body.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a registration.
    Token(Token),
    /// To a registration that was refused: the one answer that is not a 200.
    NoToken(Refusal),
    /// To everything else.
    Decision(Box<Decision>),
}

/// A card's token.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    token: Id,
    issuer_code: String,
    acquirer_code: String,
    card_type: String,
    owner_type: String,
    bin: Id,
    last4: Id,
}

impl Token {
    /// The answer to a registration.
    pub fn of(token: Id, facts: &CardFacts) -> Self {
        Self {
            token,
            issuer_code: facts.issuer_code.to_string(),
            acquirer_code: facts.acquirer_code.to_string(),
            card_type: facts.card_type.to_string(),
            owner_type: facts.owner_type.to_string(),
            bin: facts.bin.clone(),
            last4: facts.last4.clone(),
        }
    }
}

/// A code and what it means.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Field 39.
    pub response_code: Code,
    /// For a person.
    pub message: String,
}

impl Refusal {
    /// A code with its usual words.
    pub fn of(code: Code) -> Self {
        Self { response_code: code, message: code.message().to_owned() }
    }
}

/// What became of a request about money.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The request's reference (of an inquiry: the one asked about).
    pub reference: Option<Id>,
    /// The reference it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_reference: Option<Id>,
    /// Of an inquiry: what the reference was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Call>,
    /// The decision.
    pub result: Outcome,
    /// Field 39.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_code: Option<Code>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// For a person, when the answer is no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'static str>,
    /// Field 38.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_number: Option<ApprovalNumber>,
    /// How much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// Of what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// When it was decided.
    pub processed_at: Timestamp,
}

impl Decision {
    /// The answer that an entry stands for, decided at `at`.
    pub fn of(entry: &Entry, at: Timestamp) -> Self {
        let refused = entry.result == Outcome::Declined;
        Self {
            reference: entry.reference.clone(),
            original_reference: entry.original_reference.clone(),
            kind: None,
            result: entry.result,
            response_code: entry.response_code,
            reason: entry.reason,
            message: entry.response_code.filter(|_| refused).map(Code::message),
            approval_number: entry.approval_number,
            amount: entry.amount.map(Amount::get),
            currency: entry.currency,
            processed_at: at,
        }
    }
}
