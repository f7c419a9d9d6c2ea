//! The card company's words, in ours. Response codes are those of ISO 8583, field 39.

use crate::domain::attempt::{ChangeRefusal, RefusedBecause};
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::instrument::{CardType, OwnerType};

/// Its own code for "nothing was done, come back": maintenance, or too much to do.
pub(super) const BUSY: &str = "M1";

/// What a refusal with this response code means to a merchant.
pub(super) fn decline(code: &str) -> Failure {
    let meaning = match code {
        "14" | "82" => FailureCode::InvalidCardNumber,
        "41" | "43" => FailureCode::InvalidCardLostOrStolen,
        "51" | "61" => FailureCode::RejectCardPayment,
        "54" => FailureCode::InvalidCardExpiration,
        "55" => FailureCode::InvalidCardPassword,
        "57" => FailureCode::InvalidStoppedCard,
        "59" => FailureCode::FdsError,
        "63" => FailureCode::InvalidCardIdentity,
        "65" => FailureCode::ExceedMaxDailyPaymentCount,
        "91" | "96" => FailureCode::ProviderError,
        // 05 "do not honor", and whatever else it may say: it said no.
        _ => FailureCode::RejectCardCompany,
    };
    Failure::declined(meaning, self::code(code))
}

/// Why it would not change an approval.
pub(super) fn refusal(reason: Option<&str>, code: &str) -> ChangeRefusal {
    let why = match reason {
        Some("already_captured") => RefusedBecause::AlreadyCaptured,
        Some("already_cancelled") => RefusedBecause::AlreadyCanceled,
        Some("not_captured" | "insufficient_balance" | "no_original") => RefusedBecause::Disagrees,
        Some(_) | None => RefusedBecause::Declined,
    };
    ChangeRefusal { why, code: self::code(code) }
}

/// Its code as it may go into logs, rows and answers: what can be one.
pub(super) fn code(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).take(8).collect()
}

pub(super) fn card_type(word: &str) -> CardType {
    match word {
        "신용" => CardType::Credit,
        "체크" => CardType::Check,
        "기프트" => CardType::Gift,
        _ => CardType::Unknown,
    }
}

pub(super) fn owner_type(word: &str) -> OwnerType {
    match word {
        "개인" => OwnerType::Person,
        "법인" => OwnerType::Company,
        _ => OwnerType::Unknown,
    }
}
