//! Bank accounts, phones and members. The number is looked at once, while it is being registered, and then forgotten: what
//! stays is its last four digits, and a fingerprint by which all tokens of one number share one book.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::card::digits;
use super::{CardFacts, Code, Id, Method, Name, Unreadable};

/// A bank account as the payer typed it. Never printed, kept or cloned: it has no `Debug`, `Serialize` or `Clone`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresentedAccount {
    bank_code: String,
    account_number: String,
    // Asked for, and not kept: which holders are wrong is said by the number.
    #[serde(rename = "holderName")]
    _holder_name: Name,
    identity_number: Option<String>,
    /// The merchant the token will be good for.
    pub merchant_id: Id,
}

/// A phone as the payer typed it. Never printed, kept or cloned.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresentedPhone {
    carrier: String,
    phone_number: String,
    birth: String,
    /// The merchant the token will be good for.
    pub merchant_id: Id,
}

/// A membership as the payer typed it. Never printed, kept or cloned.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresentedMember {
    member_number: String,
    password: Option<String>,
    /// The merchant the token will be good for.
    pub merchant_id: Id,
}

/// What a number's fault says of its holder's means.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// The fault's name.
    pub behaviour: &'static str,
    /// How much there is in all, when that is bounded.
    pub balance: Option<i64>,
    /// How much may be used in a day (account) or month (phone), when that is bounded.
    pub limit: Option<i64>,
}

/// What may be known of an account, a phone or a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HolderFacts {
    /// The bank's code, the carrier, or `points`.
    pub provider: Cow<'static, str>,
    /// The fingerprint of the number.
    pub holder: Id,
    /// The last four digits.
    pub last4: Id,
    /// How much there was at the beginning, when that is bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<i64>,
    /// How much may be used in a day (account) or month (phone), when that is bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// What the number makes its company do: a fault's name.
    pub behaviour: Cow<'static, str>,
}

/// What is known of what a token stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// A card.
    Card(CardFacts),
    /// Anything else.
    Holder(HolderFacts),
}

/// What a token stands for.
#[derive(Debug)]
pub struct Instrument {
    /// The only method it can be used with.
    pub method: Method,
    /// The only merchant who may use the token.
    pub merchant_id: Id,
    /// What is known of it.
    pub known: Known,
    /// How often an approval was asked for: some behaviours count.
    pub asked: u32,
    /// How often it was charged.
    pub charged: u32,
}

/// The banks by their codes.
const BANKS: [&str; 26] = [
    "02", "03", "06", "07", "11", "12", "20", "23", "27", "31", "32", "34", "35", "37", "39", "45", "48", "50", "54",
    "64", "71", "81", "88", "89", "90", "92",
];
const CARRIERS: [&str; 4] = ["SKT", "KT", "LGU", "MVNO"];
const POINTS: &str = "points";
/// How many points every other member begins with.
const POINTS_AT_FIRST: i64 = 1_000_000;
/// How much every other phone may be charged in a month.
const PHONE_LIMIT: i64 = 1_000_000;

/// Whether a bank has this code.
pub fn is_bank(code: &str) -> bool {
    BANKS.contains(&code)
}

impl PresentedAccount {
    /// The digits, for the table of behaviours only.
    pub fn number(&self) -> &str {
        &self.account_number
    }

    /// Checks what was typed: `Err` when it can't be read, `Ok(Err(code))` when the account is refused.
    pub fn read(&self, means: Means) -> Result<Result<HolderFacts, Code>, Unreadable> {
        if let Some(identity) = &self.identity_number {
            digits("identityNumber", identity, &[6, 10], "six digits (birth date) or ten (business number)")?;
        }
        account("bankCode", &self.bank_code, "accountNumber", &self.account_number, means)
    }
}

/// Checks a bank account to draw from or pay to.
pub(super) fn account(
    bank_field: &'static str,
    bank_code: &str,
    number_field: &'static str,
    number: &str,
    means: Means,
) -> Result<Result<HolderFacts, Code>, Unreadable> {
    digits(bank_field, bank_code, &[2], "two digits")?;
    digits(number_field, number, &[8, 9, 10, 11, 12, 13, 14, 15, 16], "8 to 16 digits")?;
    let bank = BANKS.iter().find(|bank| **bank == bank_code);
    Ok(bank.map(|bank| means.of(Method::Transfer, bank, number)).ok_or(Code::NO_SUCH_BANK))
}

impl PresentedPhone {
    /// The digits, for the table of behaviours only.
    pub fn number(&self) -> &str {
        &self.phone_number
    }

    /// Checks what was typed: `Err` when it can't be read, `Ok(Err(code))` when the phone is refused.
    pub fn read(&self, means: Means) -> Result<Result<HolderFacts, Code>, Unreadable> {
        digits("birth", &self.birth, &[6], "six digits")?;
        digits("phoneNumber", &self.phone_number, &[10, 11], "10 or 11 digits")?;
        let Some(carrier) = CARRIERS.iter().find(|carrier| **carrier == self.carrier) else {
            return Err(Unreadable::new("carrier", "SKT, KT, LGU or MVNO"));
        };
        if !self.phone_number.starts_with("01") {
            return Ok(Err(Code::INVALID_NUMBER));
        }
        let limit = means.limit.or(Some(PHONE_LIMIT));
        Ok(Ok(Means { limit, ..means }.of(Method::Carrier, carrier, &self.phone_number)))
    }
}

impl PresentedMember {
    /// The digits, for the table of behaviours only.
    pub fn number(&self) -> &str {
        &self.member_number
    }

    /// Checks what was typed: `Err` when it can't be read.
    pub fn read(&self, means: Means) -> Result<Result<HolderFacts, Code>, Unreadable> {
        if let Some(password) = &self.password {
            digits("password", password, &[4, 6], "four or six digits")?;
        }
        digits("memberNumber", &self.member_number, &[8, 9, 10, 11, 12, 13, 14, 15, 16], "8 to 16 digits")?;
        let balance = means.balance.or(Some(POINTS_AT_FIRST));
        Ok(Ok(Means { balance, ..means }.of(Method::Points, POINTS, &self.member_number)))
    }
}

impl Means {
    /// What stays of a number of digits only.
    fn of(self, method: Method, provider: &'static str, number: &str) -> HolderFacts {
        let last4 = number.get(number.len().saturating_sub(4)..).unwrap_or_default();
        HolderFacts {
            provider: provider.into(),
            holder: fingerprint(method, provider, number),
            last4: Id::plain(last4),
            balance: self.balance,
            limit: self.limit,
            behaviour: self.behaviour.into(),
        }
    }
}

/// The same number has the same fingerprint, and nobody reads the number off it at a glance. (Who tries all numbers finds
/// it: these are test numbers.)
fn fingerprint(method: Method, provider: &str, number: &str) -> Id {
    let digest = Sha256::digest(format!("{method:?}/{provider}/{number}"));
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    Id::plain(&hex)
}

impl Known {
    /// The fault's name.
    pub fn behaviour(&self) -> &str {
        match self {
            Self::Card(card) => &card.behaviour,
            Self::Holder(holder) => &holder.behaviour,
        }
    }

    /// Of an account, phone or member.
    pub fn holder(&self) -> Option<&HolderFacts> {
        match self {
            Self::Card(_) => None,
            Self::Holder(holder) => Some(holder),
        }
    }
}
