//! What a gateway may ask of a company. No number of a card, account, phone or member gets this far: see [`super::card`]
//! and [`super::holder`].

use serde::{Deserialize, Serialize};

use super::virtual_account::{Close, Issue, PayOut};
use super::{Amount, Code, Currency, HolderFacts, Id, InterestPayer, Known, Method};

/// The kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Send a code to a phone.
    Verify,
    /// Exchange a card, an account, a phone or a membership for a token.
    Register,
    /// What is left of a member's points?
    Balance,
    /// Charge a card (draw from an account, put on a phone's bill, use points).
    Approve,
    /// Fix a card's charge for settlement; from then on money goes back by refund only.
    Capture,
    /// Take back a charge, whole or part, before capture.
    Cancel,
    /// Give money back after capture, or after money moved.
    Refund,
    /// Undo whatever was charged under a reference, because its answer never came.
    NetCancel,
    /// What became of a reference?
    Inquire,
    /// Open a virtual account.
    Issue,
    /// Close the virtual account of a reference.
    Close,
    /// Pay money of a virtual account to somebody's bank account.
    PayOut,
    /// Somebody paid into a virtual account. Nobody's request: the tests' lever.
    Deposit,
    /// A deposit is taken back. Likewise.
    TakeBack,
    /// A callback was delivered, or given up.
    Notify,
}

impl Call {
    /// The word in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Register => "register",
            Self::Balance => "balance",
            Self::Approve => "approve",
            Self::Capture => "capture",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
            Self::NetCancel => "net_cancel",
            Self::Inquire => "inquire",
            Self::Issue => "issue",
            Self::Close => "close",
            Self::PayOut => "pay_out",
            Self::Deposit => "deposit",
            Self::TakeBack => "take_back",
            Self::Notify => "notify",
        }
    }
}

/// One request, understood.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Whose counter it was handed in at.
    pub method: Method,
    /// What is wanted.
    pub request: Request,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub enum Request {
    /// `POST …/verifications`
    Verify(Verify),
    /// `POST …/cards`, `…/accounts`, `…/members`
    Register(Register),
    /// `POST …/subscribers`
    Subscribe(Subscribe),
    /// `GET …/members/{token}`
    Balance(Id),
    /// `POST …/approvals`
    Approve(Approve),
    /// `POST …/captures`, `…/cancels`, `…/refunds`: the call says which.
    Change(Call, Change),
    /// `POST …/net-cancels`
    NetCancel(NetCancel),
    /// `GET …/transactions/{reference}`
    Inquire(Id),
    /// `POST …/accounts` of virtual accounts
    Issue(Box<Issue>),
    /// `POST …/closures`
    Close(Close),
    /// `POST …/pay-outs`
    PayOut(Box<PayOut>),
}

impl Ask {
    /// Its kind.
    pub fn call(&self) -> Call {
        match &self.request {
            Request::Verify(_) => Call::Verify,
            Request::Register(_) | Request::Subscribe(_) => Call::Register,
            Request::Balance(_) => Call::Balance,
            Request::Approve(_) => Call::Approve,
            Request::Change(call, _) => *call,
            Request::NetCancel(_) => Call::NetCancel,
            Request::Inquire(_) => Call::Inquire,
            Request::Issue(_) => Call::Issue,
            Request::Close(_) => Call::Close,
            Request::PayOut(_) => Call::PayOut,
        }
    }
}

/// A phone to send a code to. The number is already gone.
#[derive(Clone, Debug)]
pub struct Verify {
    /// The verification's name, chosen by the caller.
    pub verification: Id,
    /// The merchant it is for.
    pub merchant_id: Id,
    /// What may be known of the phone, or why it was refused.
    pub holder: Result<HolderFacts, Code>,
}

/// Something to keep under a token. The number is already gone.
#[derive(Clone, Debug)]
pub struct Register {
    /// The token to give, chosen by the caller.
    pub token: Id,
    /// The merchant the token will be good for.
    pub merchant_id: Id,
    /// What may be known of it, or why it was refused.
    pub known: Result<Known, Code>,
}

/// A code that came by SMS. The code itself is already gone.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// The token to give, chosen by the caller.
    pub token: Id,
    /// The merchant the token will be good for.
    pub merchant_id: Id,
    /// The verification it belongs to.
    pub verification: Id,
    /// Whether it was the right one.
    pub is_right: bool,
}

/// A charge.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approve {
    /// The gateway's name for this attempt.
    pub reference: Id,
    /// The merchant.
    pub merchant_id: Id,
    /// The merchant's order.
    pub order_id: Id,
    /// The card, account, phone or member.
    pub token: Id,
    /// How much, in minor units.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
    /// Months of instalment, of cards; 0 or absent is one payment.
    #[serde(default)]
    pub installment_months: u8,
    /// Who shall pay the interest of an instalment: the buyer when nobody is named.
    #[serde(default)]
    pub interest_payer: Option<InterestPayer>,
}

/// A capture, cancel or refund of an approved charge.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The gateway's name for this attempt.
    pub reference: Id,
    /// The reference the charge was approved under.
    pub original_reference: Id,
    /// The merchant.
    pub merchant_id: Id,
    /// The merchant's order.
    pub order_id: Id,
    /// How much, in minor units.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

/// A net-cancel (망취소).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetCancel {
    /// The gateway's name for this attempt.
    pub reference: Id,
    /// The reference whose charge should not be.
    pub original_reference: Id,
    /// The merchant.
    pub merchant_id: Id,
    /// The amount the gateway had asked for. What is undone is what was charged, even if it differs.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

/// What can be said about a request before it is acted on: what scripts match by.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The method of payment.
    pub method: Method,
    /// The kind of request.
    pub call: Call,
    /// Its own reference.
    pub reference: Option<Id>,
    /// The reference it is about.
    pub original_reference: Option<Id>,
    /// The merchant.
    pub merchant_id: Option<Id>,
    /// The order, by way of the original when the request doesn't carry it.
    pub order_id: Option<Id>,
    /// The card, likewise.
    pub token: Option<Id>,
    /// The amount, likewise.
    pub amount: Option<i64>,
}
