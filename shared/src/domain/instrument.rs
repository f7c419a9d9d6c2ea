//! What a payment is paid with.

use serde::{Deserialize, Serialize};

use super::operation::Connector;

/// What a payment is paid with. Holds what the acquirer gave in exchange for it, never what it can be used with
/// elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Instrument {
    /// 카드.
    Card(Card),
}

impl Instrument {
    /// Who carries out its payments.
    #[must_use]
    pub const fn connector(&self) -> Connector {
        match self {
            Self::Card(_) => Connector::Card,
        }
    }
}

/// A card as we keep it: the acquirer's token, first six, last four.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// The acquirer's token, worth nothing to anybody but us and it.
    pub token: String,
    /// First six digits.
    pub bin: String,
    /// Last four digits.
    pub last4: String,
    /// Keyed hash of the number, hex: tells two cards apart, tells nobody the number.
    pub fingerprint: String,
    /// Two-character code of the issuer (`11` KB국민, `41` 신한 …).
    pub issuer_code: String,
    /// Two-character code of who buys the sales slips.
    pub acquirer_code: String,
    /// `신용`, `체크` or `기프트`.
    pub card_type: CardType,
    /// `개인` or `법인`.
    pub owner_type: OwnerType,
    /// 0 for a single payment, else 2 to 12.
    pub installment_months: u8,
}

impl Card {
    /// `433012******1234`: the only form in which a card number is ever shown.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("{}******{}", self.bin, self.last4)
    }
}

/// 카드 종류.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CardType {
    /// Credit.
    #[serde(rename = "신용")]
    Credit,
    /// Debit.
    #[serde(rename = "체크")]
    Check,
    /// Prepaid gift card.
    #[serde(rename = "기프트")]
    Gift,
    /// The card company did not say.
    #[serde(rename = "미확인")]
    Unknown,
}

/// 소유자 종류.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnerType {
    /// A person.
    #[serde(rename = "개인")]
    Person,
    /// A company.
    #[serde(rename = "법인")]
    Company,
    /// The card company did not say.
    #[serde(rename = "미확인")]
    Unknown,
}
