//! 할부: paying a card company back by the month. What may be asked for, before any card company is.

use super::instrument::{Card, CardType};
use super::money::Money;
use crate::words::words;

/// The least that can be paid by instalments, in won (여신전문금융업 practice: 5만원).
pub const INSTALLMENT_AMOUNT_MIN: i64 = 50_000;

words! {
    /// 할부 수수료: who pays the interest of instalments.
    InterestPayer {
        /// The payer.
        Buyer = "BUYER",
        /// The card company, as a present.
        CardCompany = "CARD_COMPANY",
        /// The merchant, who agreed on it with the card company.
        Merchant = "MERCHANT",
    }
}

/// Why a payment can't be paid in so many months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoInstallments {
    /// It costs less than [`INSTALLMENT_AMOUNT_MIN`].
    BelowAmount,
    /// The card's money is there at once, or never: a debit or gift card.
    NotThisCard,
}

/// Whether what costs so much can be paid back in so many months by any card at all.
///
/// # Errors
/// [`NoInstallments::BelowAmount`]
pub const fn allowed(months: u8, total: Money) -> Result<(), NoInstallments> {
    if months > 0 && total.amount() < INSTALLMENT_AMOUNT_MIN { Err(NoInstallments::BelowAmount) } else { Ok(()) }
}

impl Card {
    /// This card, to be paid back in so many months: 0 at once, else 2 to 12.
    ///
    /// # Errors
    /// Why not.
    pub fn in_months(mut self, months: u8, total: Money) -> Result<Self, NoInstallments> {
        allowed(months, total)?;
        if months > 0 {
            match self.card_type {
                CardType::Check | CardType::Gift => return Err(NoInstallments::NotThisCard),
                // The card company knows better than we what an unknown card can do.
                CardType::Credit | CardType::Unknown => {}
            }
        }
        self.installment_months = months;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::OwnerType;
    use crate::domain::money::Currency;

    #[test]
    fn instalments_are_for_credit_cards_from_50_000_won() {
        use CardType::{Check, Credit, Gift, Unknown};
        use NoInstallments::{BelowAmount, NotThisCard};
        #[rustfmt::skip]
        let table = [
            (Credit,   0,    100, Ok(0)),
            (Credit,   2, 49_999, Err(BelowAmount)),
            (Credit,   2, 50_000, Ok(2)),
            (Credit,  12, 50_000, Ok(12)),
            (Unknown, 12, 50_000, Ok(12)),
            (Check,    0, 50_000, Ok(0)),
            (Check,    2, 50_000, Err(NotThisCard)),
            (Gift,     3, 50_000, Err(NotThisCard)),
            (Check,    2, 49_999, Err(BelowAmount)),
        ];
        for (card_type, months, amount, expected) in table {
            let card = Card {
                token: "tok".into(),
                bin: "433012".into(),
                last4: "1234".into(),
                fingerprint: "00".into(),
                issuer_code: "11".into(),
                acquirer_code: "11".into(),
                card_type,
                owner_type: OwnerType::Person,
                installment_months: 7,
            };
            let total = Money::new(amount, Currency::Krw).unwrap();
            let months_of = card.in_months(months, total).map(|card| card.installment_months);
            assert_eq!(months_of, expected, "{card_type:?} {months} {amount}");
        }
    }
}
