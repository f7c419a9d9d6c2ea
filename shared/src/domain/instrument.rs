//! What a payment is paid with.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::operation::Connector;
use super::virtual_account::VirtualAccount;
use crate::words::words;

/// What a payment is paid with. Holds what the acquirer gave in exchange for it, never what it can be used with
/// elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Instrument {
    /// 카드.
    Card(Card),
    /// 가상계좌.
    VirtualAccount(VirtualAccount),
}

impl Instrument {
    /// Who carries out its payments.
    #[must_use]
    pub const fn connector(&self) -> Connector {
        match self {
            Self::Card(_) => Connector::Card,
            Self::VirtualAccount(_) => Connector::VirtualAccount,
        }
    }

    /// In how many months it is paid back: 0 at once.
    #[must_use]
    pub const fn installment_months(&self) -> u8 {
        match self {
            Self::Card(card) => card.installment_months,
            Self::VirtualAccount(_) => 0,
        }
    }

    /// Until when it is to be paid, if it is an account to pay into.
    #[must_use]
    pub const fn due_at(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Card(_) => None,
            Self::VirtualAccount(account) => Some(account.due_at),
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

    /// Whose network it belongs to, as far as its first digits tell.
    #[must_use]
    pub fn brand(&self) -> Brand {
        let digits = |count: usize| self.bin.get(..count).and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
        match (digits(1), digits(2), digits(4)) {
            (4, _, _) => Brand::Visa,
            (9, _, _) => Brand::Local,
            (_, 51..=55, _) | (_, _, 2221..=2720) => Brand::Mastercard,
            (_, 34 | 37, _) => Brand::Amex,
            (_, 62, _) => Brand::UnionPay,
            (_, _, 3528..=3589) => Brand::Jcb,
            _ => Brand::Unknown,
        }
    }
}

words! {
    /// Whose network a card belongs to.
    Brand {
        /// Visa.
        Visa = "VISA",
        /// Mastercard.
        Mastercard = "MASTERCARD",
        /// American Express.
        Amex = "AMEX",
        /// JCB.
        Jcb = "JCB",
        /// UnionPay.
        UnionPay = "UNIONPAY",
        /// 국내전용: good in Korea only.
        Local = "LOCAL",
        /// Of none of these.
        Unknown = "UNKNOWN",
    }
}

words! {
    /// 카드 종류.
    CardType {
        /// Credit.
        Credit = "신용",
        /// Debit.
        Check = "체크",
        /// Prepaid gift card.
        Gift = "기프트",
        /// The card company did not say.
        Unknown = "미확인",
    }
}

words! {
    /// 소유자 종류.
    OwnerType {
        /// A person.
        Person = "개인",
        /// A company.
        Company = "법인",
        /// The card company did not say.
        Unknown = "미확인",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brands_by_first_digits() {
        for (bin, brand) in [
            ("424242", Brand::Visa),
            ("510000", Brand::Mastercard),
            ("560000", Brand::Unknown),
            ("222100", Brand::Mastercard),
            ("272099", Brand::Mastercard),
            ("272100", Brand::Unknown),
            ("378282", Brand::Amex),
            ("352800", Brand::Jcb),
            ("620000", Brand::UnionPay),
            ("940001", Brand::Local),
            ("100000", Brand::Unknown),
        ] {
            let card = Card {
                token: "tok".into(),
                bin: bin.into(),
                last4: "1234".into(),
                fingerprint: "00".into(),
                issuer_code: "11".into(),
                acquirer_code: "11".into(),
                card_type: CardType::Credit,
                owner_type: OwnerType::Person,
                installment_months: 0,
            };
            assert_eq!(card.brand(), brand, "{bin}");
        }
    }
}
