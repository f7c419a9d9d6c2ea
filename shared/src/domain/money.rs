//! Amounts of money. Integers in the currency's minor unit; floats and `as` never touch them.

use serde::{Deserialize, Serialize};

/// A currency that Naru can move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Currency {
    /// South Korean won. ISO 4217 gives it no minor unit: 1 is one won.
    #[serde(rename = "KRW")]
    Krw,
}

impl Currency {
    /// The ISO 4217 code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Krw => "KRW",
        }
    }

    /// The currency of an ISO 4217 code, if Naru can move it.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "KRW" => Some(Self::Krw),
            _ => None,
        }
    }
}

/// An amount above zero in a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Money {
    amount: i64,
    currency: Currency,
}

impl Money {
    /// `amount` minor units, or nothing when it is not above zero.
    #[must_use]
    pub const fn new(amount: i64, currency: Currency) -> Option<Self> {
        if amount > 0 { Some(Self { amount, currency }) } else { None }
    }

    /// In the currency's minor unit; always above zero.
    #[must_use]
    pub const fn amount(self) -> i64 {
        self.amount
    }

    /// The currency it is in.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }
}

/// How an amount divides for the tax office: `supplied + vat + tax_free` is the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaxSplit {
    /// 공급가액: the price before tax of what is taxed.
    pub supplied: i64,
    /// 부가세.
    pub vat: i64,
    /// 면세: what bears no tax.
    pub tax_free: i64,
}

impl TaxSplit {
    /// Divides `amount`, of which `tax_free` bears no tax. VAT is a tenth of the supply value, so an eleventh of
    /// what is taxed, rounded half up (Toss Payments: `round((amount − taxFree) / 11)`).
    ///
    /// `tax_free` is taken as at most `amount` and neither as below zero.
    #[must_use]
    pub fn of(amount: i64, tax_free: i64) -> Self {
        let amount = amount.max(0);
        let tax_free = tax_free.clamp(0, amount);
        let taxed = amount - tax_free;
        // Whole elevenths first: doubling `taxed` could overflow for amounts nobody has.
        let vat = taxed / 11 + i64::from(taxed % 11 >= 6);
        Self { supplied: taxed - vat, vat, tax_free }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn splits_like_the_published_vectors() {
        #[rustfmt::skip]
        let table = [
            // amount  tax free  supplied   vat
            (  10_000,    3_000,    6_364,   636),
            (  15_000,        0,   13_636, 1_364),
            (  30_000,        0,   27_273, 2_727),
            (   9_026,        0,    8_205,   821),
            (       1,        0,        1,     0),
            (   5_000,    5_000,        0,     0),
        ];
        for (amount, tax_free, supplied, vat) in table {
            assert_eq!(
                TaxSplit::of(amount, tax_free),
                TaxSplit { supplied, vat, tax_free },
                "{amount} of which {tax_free} free"
            );
        }
    }

    #[test]
    fn nothing_and_less_than_nothing_are_no_money() {
        assert_eq!(Money::new(0, Currency::Krw), None);
        assert_eq!(Money::new(-1, Currency::Krw), None);
        assert_eq!(Money::new(i64::MIN, Currency::Krw), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn the_parts_add_up_to_the_whole(amount in 0..=i64::MAX, tax_free in 0..=i64::MAX) {
            let split = TaxSplit::of(amount, tax_free);
            prop_assert_eq!(i128::from(split.supplied) + i128::from(split.vat) + i128::from(split.tax_free), i128::from(amount));
            prop_assert!(split.supplied >= 0 && split.vat >= 0 && split.tax_free >= 0);
        }

        #[test]
        fn vat_is_the_nearest_whole_eleventh(amount in 0..1_000_000_000_000_i64) {
            let vat = TaxSplit::of(amount, 0).vat;
            prop_assert!((amount - vat * 11).abs() <= 5 || amount - vat * 11 == -5);
        }
    }
}
