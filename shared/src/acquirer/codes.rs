//! What all acquirers' words are in ours. Response codes are those of ISO 8583, field 39.

use crate::domain::attempt::{ChangeRefusal, RefusedBecause};
use crate::domain::failure::{Failure, FailureCode};

/// An acquirer's own code for "nothing was done, come back": maintenance, or too much to do.
pub(super) const BUSY: &str = "M1";

/// What a refusal of an approval or a registration means to a merchant, by its response code.
pub(super) type Meaning = fn(code: &str) -> FailureCode;

/// A refusal as it is kept.
pub(super) fn decline(meaning: Meaning, code: &str) -> Failure {
    Failure::declined(meaning(code), self::code(code))
}

/// Why an acquirer would not change an approval.
pub(super) fn refusal(reason: Option<&str>, code: &str) -> ChangeRefusal {
    let why = match reason {
        Some("already_captured") => RefusedBecause::AlreadyCaptured,
        Some("already_cancelled") => RefusedBecause::AlreadyCanceled,
        Some("not_captured" | "insufficient_balance" | "no_original") => RefusedBecause::Disagrees,
        Some("past_month") => RefusedBecause::MonthOver,
        Some(_) | None => RefusedBecause::Declined,
    };
    ChangeRefusal { why, code: self::code(code) }
}

/// An acquirer's code as it may go into logs, rows and answers: what can be one.
pub(super) fn code(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).take(8).collect()
}
