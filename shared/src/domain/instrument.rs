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
    /// 계좌이체.
    Transfer(Transfer),
    /// 휴대폰.
    Mobile(Mobile),
    /// 포인트.
    Points(Points),
    /// 가상계좌.
    VirtualAccount(VirtualAccount),
}

words! {
    /// A method of payment, as Toss Payments' answers call it.
    Method {
        /// By card.
        Card = "카드",
        /// From a bank account.
        Transfer = "계좌이체",
        /// On the phone's bill.
        Mobile = "휴대폰",
        /// With points: Toss Payments counts whatever has no method of its own there.
        Points = "간편결제",
        /// Into an account that is opened for the payment.
        VirtualAccount = "가상계좌",
    }
}

impl Method {
    /// The method that a caller names, by either of the words that Toss Payments' clients use.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::parse(word).or_else(|| Self::ALL.iter().copied().find(|method| method.english() == word))
    }

    /// The method whose payments this connector carries out: each has one.
    #[must_use]
    pub fn of(connector: Connector) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.connector() == connector)
    }

    /// As newer clients of Toss Payments call it.
    #[must_use]
    pub const fn english(self) -> &'static str {
        match self {
            Self::Card => "CARD",
            Self::Transfer => "TRANSFER",
            Self::Mobile => "MOBILE_PHONE",
            Self::Points => "EASY_PAY",
            Self::VirtualAccount => "VIRTUAL_ACCOUNT",
        }
    }

    /// Who carries out its payments.
    #[must_use]
    pub const fn connector(self) -> Connector {
        match self {
            Self::Card => Connector::Card,
            Self::Transfer => Connector::Transfer,
            Self::Mobile => Connector::Mobile,
            Self::Points => Connector::Points,
            Self::VirtualAccount => Connector::VirtualAccount,
        }
    }
}

impl Instrument {
    /// By which method it pays.
    #[must_use]
    pub const fn method(&self) -> Method {
        match self {
            Self::Card(_) => Method::Card,
            Self::Transfer(_) => Method::Transfer,
            Self::Mobile(_) => Method::Mobile,
            Self::Points(_) => Method::Points,
            Self::VirtualAccount(_) => Method::VirtualAccount,
        }
    }

    /// Who carries out its payments.
    #[must_use]
    pub const fn connector(&self) -> Connector {
        self.method().connector()
    }

    /// In how many months it is paid back: 0 at once.
    #[must_use]
    pub const fn installment_months(&self) -> u8 {
        match self {
            Self::Card(card) => card.installment_months,
            Self::Transfer(_) | Self::Mobile(_) | Self::Points(_) | Self::VirtualAccount(_) => 0,
        }
    }

    /// Until when it is to be paid, if it is an account to pay into.
    #[must_use]
    pub const fn due_at(&self) -> Option<OffsetDateTime> {
        if let Self::VirtualAccount(account) = self { Some(account.due_at) } else { None }
    }

    /// The card, if it is one.
    #[must_use]
    pub const fn card(&self) -> Option<&Card> {
        match self {
            Self::Card(card) => Some(card),
            Self::Transfer(_) | Self::Mobile(_) | Self::Points(_) | Self::VirtualAccount(_) => None,
        }
    }
}

/// A bank account that is drawn from, as we keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// The acquirer's token, worth nothing to anybody but us and it.
    pub token: String,
    /// Two-digit code of the bank (`88` 신한 …).
    pub bank_code: String,
    /// Last four digits of the account number.
    pub last4: String,
    /// Keyed hash of bank and number, hex: tells two accounts apart, tells nobody the number.
    pub fingerprint: String,
}

/// A phone whose bill is paid on, as we keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mobile {
    /// The acquirer's token, worth nothing to anybody but us and it.
    pub token: String,
    /// `SKT`, `KT`, `LGU` or `MVNO`.
    pub carrier: String,
    /// Last four digits of the phone number.
    pub last4: String,
}

impl Mobile {
    /// `***-****-1234`: the only form in which a phone number is ever shown.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("***-****-{}", self.last4)
    }
}

/// A membership whose points pay, as we keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Points {
    /// The acquirer's token, worth nothing to anybody but us and it.
    pub token: String,
    /// Who issues them, by the name that payers know.
    pub provider: String,
    /// Last four digits of the member's number.
    pub last4: String,
    /// Keyed hash of the member's number, hex: tells two members apart, tells nobody the number.
    pub fingerprint: String,
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
    fn methods_are_named_by_either_word() {
        for &method in Method::ALL {
            assert_eq!(Method::named(method.as_str()), Some(method));
            assert_eq!(Method::named(method.english()), Some(method));
        }
        assert_eq!(Method::named("card"), None);
        assert_eq!(Method::named(""), None);
    }

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
