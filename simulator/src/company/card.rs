//! Cards. The number is looked at once, while it is being registered, and then forgotten.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Code, Id, Timestamp};

/// A card as the payer typed it. Never printed, kept or cloned: it has no `Debug`, `Serialize` or `Clone`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presented {
    number: String,
    expiry_year: String,
    expiry_month: String,
    cvc: Option<String>,
    password: Option<String>,
    identity_number: Option<String>,
    /// The merchant the token will be good for.
    pub merchant_id: Id,
}

/// What may be known of a card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CardFacts {
    /// Who issued it, by the two-character code of the Korean networks.
    pub issuer_code: Cow<'static, str>,
    /// Who buys its slips.
    pub acquirer_code: Cow<'static, str>,
    /// `신용`, `체크` or `기프트`.
    pub card_type: Cow<'static, str>,
    /// `개인` or `법인`.
    pub owner_type: Cow<'static, str>,
    /// The first six digits.
    pub bin: Id,
    /// The last four digits.
    pub last4: Id,
    /// What the number makes the company do: a name of the table in the README.
    pub behaviour: Cow<'static, str>,
}

/// A member of a registration that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{field} must be {rule}")]
pub struct Unreadable {
    field: &'static str,
    rule: &'static str,
}

impl Unreadable {
    /// A member and what it must be.
    pub(super) fn new(field: &'static str, rule: &'static str) -> Self {
        Self { field, rule }
    }
}

/// The sandbox's own six-digit prefixes `9400NN`, in the order of NN from 01.
const ISSUERS: [&str; 19] =
    ["11", "21", "31", "33", "W1", "41", "51", "61", "71", "91", "15", "3A", "24", "36", "46", "35", "42", "34", "3C"];
/// Who issues every other number.
const ISSUER_OF_THE_REST: &str = "61";

impl Presented {
    /// The digits, for the table of behaviours only.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Checks what was typed: `Err` when it can't be read, `Ok(Err(code))` when the card is refused.
    pub fn read(&self, now: Timestamp, behaviour: &'static str) -> Result<Result<CardFacts, Code>, Unreadable> {
        let year = digits("expiryYear", &self.expiry_year, &[2], "two digits")?;
        let month = digits("expiryMonth", &self.expiry_month, &[2], "two digits from 01 to 12")?;
        if !(1..=12).contains(&month) {
            return Err(Unreadable { field: "expiryMonth", rule: "two digits from 01 to 12" });
        }
        for (field, value, lengths, rule) in [
            ("cvc", &self.cvc, &[3, 4][..], "three or four digits"),
            ("password", &self.password, &[2], "the first two digits"),
            ("identityNumber", &self.identity_number, &[6, 10], "six digits (birth date) or ten (business number)"),
        ] {
            if let Some(value) = value {
                digits(field, value, lengths, rule)?;
            }
        }
        if !is_card_number(&self.number) {
            return Ok(Err(Code::INVALID_NUMBER));
        }
        if (year, month) < now.year_and_month() {
            return Ok(Err(Code::EXPIRED));
        }
        Ok(self.facts(behaviour).ok_or(Code::INVALID_NUMBER))
    }

    fn facts(&self, behaviour: &'static str) -> Option<CardFacts> {
        let number = self.number.as_str();
        let (issuer, card_type, owner_type) = match number.strip_prefix("9400") {
            Some(rest) => {
                let nth: usize = rest.get(..2)?.parse().ok()?;
                let (card_type, owner_type) = match rest.get(2..4)? {
                    "01" => ("신용", "법인"),
                    "10" => ("체크", "개인"),
                    "20" => ("기프트", "개인"),
                    _ => ("신용", "개인"),
                };
                (*ISSUERS.get(nth.checked_sub(1)?)?, card_type, owner_type)
            }
            None => (ISSUER_OF_THE_REST, "신용", "개인"),
        };
        Some(CardFacts {
            issuer_code: issuer.into(),
            acquirer_code: issuer.into(),
            card_type: card_type.into(),
            owner_type: owner_type.into(),
            bin: Id::try_from(number.get(..6)?.to_owned()).ok()?,
            last4: Id::try_from(number.get(number.len() - 4..)?.to_owned()).ok()?,
            behaviour: behaviour.into(),
        })
    }
}

/// Two-digit values are returned, longer ones only checked.
pub(super) fn digits(
    field: &'static str,
    value: &str,
    lengths: &[usize],
    rule: &'static str,
) -> Result<u8, Unreadable> {
    if lengths.contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit()) {
        Ok(value.get(..2).and_then(|two| two.parse().ok()).unwrap_or(0))
    } else {
        Err(Unreadable { field, rule })
    }
}

/// 14 to 19 digits whose last one is right (Luhn).
pub fn is_card_number(number: &str) -> bool {
    let sum: u32 = number
        .bytes()
        .rev()
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| {
            let value = u32::from(digit.wrapping_sub(b'0')) * weight;
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    (14..=19).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) && sum.is_multiple_of(10)
}
