//! The methods of payment, and in what their rules differ.

use serde::{Deserialize, Serialize};

/// A method of payment: each has a company of its own on the wire, and one book for all of them here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A card (`/v1`).
    #[default]
    Card,
    /// 계좌이체: money drawn from the payer's bank account (`/bank/v1`).
    Transfer,
    /// 가상계좌: an account number to pay into (`/virtual-accounts/v1`).
    VirtualAccount,
    /// 휴대폰: on the bill of the payer's phone (`/carrier/v1`).
    Carrier,
    /// 포인트: points of a membership (`/points/v1`).
    Points,
}

impl Method {
    /// Whether a charge has to be captured before money can be refunded. All others move money at once.
    pub fn captures(self) -> bool {
        self == Self::Card
    }

    /// Whether a part of a charge can be given back.
    pub fn gives_back_parts(self) -> bool {
        self != Self::Carrier
    }

    /// Whether a charge can be given back only in the calendar month (Korean time) in which it was made: before the bill.
    pub fn within_the_month(self) -> bool {
        self == Self::Carrier
    }

    /// Whether it is the card, whose journal lines don't say so.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    pub fn is_card(&self) -> bool {
        *self == Self::Card
    }
}
