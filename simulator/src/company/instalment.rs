//! Instalments (할부): who may have them, and who pays their interest.

use serde::{Deserialize, Serialize};

use super::{Amount, CardFacts, Code, Reason};

/// Months of an instalment.
const MONTHS: std::ops::RangeInclusive<u8> = 2..=12;
/// The least amount that is paid in instalments, in won.
const LEAST: i64 = 50_000;
/// Issuers that pay the interest of two or three months themselves: Shinhan and Samsung.
const GENEROUS: [&str; 2] = ["41", "51"];

/// Who pays the interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InterestPayer {
    /// The payer.
    Buyer,
    /// The card company, which offers it.
    CardCompany,
    /// The merchant, who offers it.
    Merchant,
}

/// How a charge is paid in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instalment {
    /// In how many months.
    pub months: u8,
    /// Who pays the interest.
    pub interest_payer: InterestPayer,
}

impl Instalment {
    /// The terms of a charge; none for one payment.
    pub fn of(
        months: u8,
        asked: Option<InterestPayer>,
        amount: Amount,
        card: &CardFacts,
    ) -> Result<Option<Self>, (Code, Reason)> {
        if months == 0 {
            return Ok(None);
        }
        if !MONTHS.contains(&months) || card.card_type != "신용" {
            return Err((Code::NOT_PERMITTED, Reason::InstalmentNotAllowed));
        }
        if amount.get() < LEAST {
            return Err((Code::NOT_PERMITTED, Reason::InstalmentBelowMinimum));
        }
        let interest_payer = match asked {
            Some(InterestPayer::Merchant) => InterestPayer::Merchant,
            _ if months <= 3 && GENEROUS.contains(&card.issuer_code.as_ref()) => InterestPayer::CardCompany,
            None | Some(InterestPayer::Buyer | InterestPayer::CardCompany) => InterestPayer::Buyer,
        };
        Ok(Some(Self { months, interest_payer }))
    }
}
