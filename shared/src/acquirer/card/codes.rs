//! The card company's words, in ours.

use crate::domain::failure::FailureCode;
use crate::domain::instrument::{CardType, OwnerType};

/// What a refusal means to a merchant.
pub(super) fn meaning(code: &str) -> FailureCode {
    match code {
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
    }
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
