//! One line of the company's journal: a request and its effect. The books are nothing but these, in order.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::virtual_account::{DepositLine, IssueLine, NoticeLine, PayOutLine};
use super::{Amount, ApprovalNumber, Call, CardFacts, Code, Currency, HolderFacts, Id, Instalment, Method, Timestamp};

/// What a request did to money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The payer was charged.
    Charged,
    /// The charge became final; nothing moved anew.
    Captured,
    /// A charge, or part of it, was taken back before capture.
    Voided,
    /// Money was given back after capture.
    Refunded,
    /// A charge was undone because its answer never arrived.
    Reversed,
    /// Money that seemed given back was not: the charge (or virtual account) holds it again.
    Restored,
    /// Money arrived in a virtual account.
    Deposited,
    /// A deposit was taken back.
    TakenBack,
    /// Money of a virtual account was paid to somebody.
    PaidOut,
    /// Nothing.
    None,
}

impl Effect {
    /// How the effect changes what payers pay in the end: 1, -1 or 0 times its amount.
    pub fn sign(self) -> i64 {
        match self {
            Self::Charged | Self::Deposited | Self::Restored => 1,
            Self::Voided | Self::Refunded | Self::Reversed | Self::TakenBack | Self::PaidOut => -1,
            Self::Captured | Self::None => 0,
        }
    }
}

/// What the company decided (which is not always what it answered: see `fault`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Yes.
    Approved,
    /// No.
    Declined,
    /// Not yet known; an inquiry will tell.
    Pending,
    /// The charge was undone.
    Reversed,
    /// The charge had been undone before.
    AlreadyReversed,
    /// There is nothing to undo.
    NoOriginal,
    /// Undoing is not possible (any more).
    Refused,
    /// No such reference.
    NotFound,
    /// The card (account, phone, member) has a token now, or a code is on its way to the phone.
    Registered,
    /// The callback was taken.
    Delivered,
    /// The callback was not taken, however often it was tried.
    GivenUp,
    /// The request got no decision: the fault came first.
    Nothing,
}

/// Why a request about money was declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Captured: refund instead.
    AlreadyCaptured,
    /// All of it went back already.
    AlreadyCancelled,
    /// Not captured: cancel instead.
    NotCaptured,
    /// More than is left.
    InsufficientBalance,
    /// No approved charge (or virtual account) under that reference.
    NoOriginal,
    /// Only the whole of it can be cancelled.
    PartialNotAllowed,
    /// The month of the charge is over.
    PastMonth,
    /// Less in the account, or fewer points, than asked.
    InsufficientFunds,
    /// More than may be drawn in a day.
    DailyLimit,
    /// More than may be charged in a month.
    MonthlyLimit,
    /// Not with this card, or not so many months.
    InstalmentNotAllowed,
    /// Too little to be paid in instalments.
    InstalmentBelowMinimum,
    /// The virtual account holds money.
    NotEmpty,
    /// The virtual account is closed.
    Closed,
    /// The virtual account has no such deposit.
    NoSuchDeposit,
    /// Too late to take a deposit back.
    TooLate,
}

/// How what is pending (or seems approved) will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// This many inquiries are still answered as before; the next one settles it.
    pub inquiries: u32,
    /// The response code it settles with; `00` charges.
    pub code: Code,
}

/// One line. Optional members are left out where they don't apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// 1, 2, 3 … without holes.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// By which method of payment.
    #[serde(default, skip_serializing_if = "Method::is_card")]
    pub method: Method,
    /// What was asked.
    pub request: Call,
    /// The request's own reference (of an inquiry: the one asked about).
    #[serde(default)]
    pub reference: Option<Id>,
    /// The reference it is about.
    #[serde(default)]
    pub original_reference: Option<Id>,
    /// The merchant.
    #[serde(default)]
    pub merchant_id: Option<Id>,
    /// The merchant's order.
    #[serde(default)]
    pub order_id: Option<Id>,
    /// The card (account, phone, member); left out when the company doesn't know it.
    #[serde(default)]
    pub token: Option<Id>,
    /// How much was asked, or how much moved when something did.
    #[serde(default)]
    pub amount: Option<Amount>,
    /// How much was asked, when another amount moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Amount>,
    /// Of what.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// What happened to money.
    pub effect: Effect,
    /// What the company decided.
    pub result: Outcome,
    /// Field 39.
    #[serde(default)]
    pub response_code: Option<Code>,
    /// Field 38.
    #[serde(default)]
    pub approval_number: Option<ApprovalNumber>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The misbehaviour in force, by its name in the README.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Cow<'static, str>>,
    /// Inquiries don't see this for so many milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lag_ms: u64,
    /// How a pending charge will end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// Of a registration: what may be known of the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardFacts>,
    /// Of a registration: what may be known of the account, phone or member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<HolderFacts>,
    /// What only some requests have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
    /// The trace the request came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Id>,
}

/// What only some requests have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Details {
    /// An approval in instalments.
    Instalment(Instalment),
    /// A virtual account was opened.
    Issue(IssueLine),
    /// A deposit, or its way.
    Deposit(DepositLine),
    /// A pay-out.
    PayOut(PayOutLine),
    /// A callback came to its end.
    Notice(NoticeLine),
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(ms: &u64) -> bool {
    *ms == 0
}
