//! What the company remembers of a reference, and the arithmetic of its money.

use super::{Amount, ApprovalNumber, Call, Code, Currency, Details, Effect, Entry, Id, Method, Outcome, Pending};
use super::{Reason, Timestamp};

/// Everything known under one reference.
#[derive(Debug)]
pub struct Transaction {
    /// By which method of payment.
    pub method: Method,
    /// What was asked under it: approve, capture, cancel, refund, issue, close or pay out.
    pub call: Call,
    /// For whom.
    pub merchant_id: Option<Id>,
    /// For which order.
    pub order_id: Option<Id>,
    /// On which card, account, phone or membership.
    pub token: Option<Id>,
    /// Of what is about another reference: that one.
    pub original: Option<Id>,
    /// How much was asked.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
    /// What else is known of it.
    pub details: Option<Details>,
    /// Where it stands.
    pub standing: Standing,
    /// When it came to stand there.
    pub at: Timestamp,
    /// It stands there only until it was inquired about so often; then it turns out to have failed.
    pub turns: Option<Pending>,
    /// Inquiries before this find nothing.
    pub visible_at: Timestamp,
    /// The charges made: one at most in mode D, one per request in mode N.
    pub charges: Vec<Charge>,
    /// The net-cancel that undid it.
    pub reversed_by: Option<Id>,
    /// How often it was inquired about.
    pub inquiries: u32,
    /// How often a net-cancel was asked for.
    pub net_cancels: u32,
    /// How often a cancel or refund was asked for.
    pub givings_back: u32,
}

/// Where a reference stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Heard of, but nothing was done. The next request under the reference moves it.
    Untouched,
    /// Not decided. An inquiry moves it, or a net-cancel; of a closure, what becomes of the deposit on its way.
    Pending(Pending),
    /// Refused; mode N may still be asked again.
    Declined(Code, Option<Reason>),
    /// Done. Only a net-cancel moves it, or an inquiry when it is one that fails later.
    Approved(Option<ApprovalNumber>),
    /// Undone. Final in mode D.
    Reversed,
}

/// One charge and what was done with it since. Whole minor units; never below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// What the payer was charged.
    pub charged: i64,
    /// What became final.
    pub captured: i64,
    /// What was taken back before capture.
    pub voided: i64,
    /// What was given back after capture, or after money moved.
    pub refunded: i64,
    /// What a net-cancel took back.
    pub reversed: i64,
    /// What seemed given back and was not.
    pub restored: i64,
    /// What is being given back, and not decided.
    pub held: i64,
    /// When.
    pub at: Option<Timestamp>,
    /// The number on the slip.
    pub approval_number: Option<ApprovalNumber>,
}

/// How a charge changed: what that does to the book of the payer's account, phone or membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// So much more is used, or less.
    pub used: i64,
    /// Of a charge of this moment.
    pub charged_at: Timestamp,
}

impl Charge {
    /// What the payer still pays.
    pub fn standing(&self) -> i64 {
        self.charged - self.voided - self.refunded - self.reversed + self.restored
    }

    /// What can still be given back.
    pub fn left(&self) -> i64 {
        self.standing() - self.held
    }

    /// Whether the charge can take this change now; if not, why.
    pub fn can(&self, call: Call, amount: Amount, method: Method, now: Timestamp) -> Result<(), Reason> {
        let captured = self.captured > 0;
        let gives_back = matches!(call, Call::Cancel | Call::Refund);
        let in_its_month = self.at.is_some_and(|at| at.month() == now.month());
        match call {
            Call::Cancel | Call::Capture if captured => Err(Reason::AlreadyCaptured),
            _ if self.standing() == 0 => Err(Reason::AlreadyCancelled),
            Call::Refund if method.captures() && !captured => Err(Reason::NotCaptured),
            _ if gives_back && method.within_the_month() && !in_its_month => Err(Reason::PastMonth),
            _ if gives_back && !method.gives_back_parts() && amount.get() < self.charged => {
                Err(Reason::PartialNotAllowed)
            }
            _ if amount.get() > self.left() => Err(Reason::InsufficientBalance),
            // A capture takes all that is left: what should not be captured is cancelled before.
            Call::Capture if amount.get() < self.left() => Err(Reason::InsufficientBalance),
            Call::Capture | Call::Cancel | Call::Refund => Ok(()),
            Call::Verify
            | Call::Register
            | Call::Balance
            | Call::Approve
            | Call::NetCancel
            | Call::Inquire
            | Call::Issue
            | Call::Close
            | Call::PayOut
            | Call::Deposit
            | Call::TakeBack
            | Call::Notify => Err(Reason::NoOriginal),
        }
    }

    fn add(&mut self, effect: Effect, amount: i64) {
        match effect {
            Effect::Charged => self.charged += amount,
            Effect::Captured => self.captured += amount,
            Effect::Voided => self.voided += amount,
            Effect::Refunded => self.refunded += amount,
            Effect::Reversed => self.reversed += amount,
            Effect::Restored => self.restored += amount,
            // A virtual account's money is not a charge's.
            Effect::Deposited | Effect::TakenBack | Effect::PaidOut | Effect::None => {}
        }
    }
}

impl Transaction {
    /// A reference heard of for the first time.
    pub fn heard(entry: &Entry) -> Option<Self> {
        Some(Self {
            method: entry.method,
            call: entry.request,
            merchant_id: entry.merchant_id.clone(),
            order_id: entry.order_id.clone(),
            token: entry.token.clone(),
            original: entry.original_reference.clone(),
            amount: entry.asked.or(entry.amount)?,
            currency: entry.currency?,
            details: None,
            standing: Standing::Untouched,
            at: entry.at,
            turns: None,
            visible_at: entry.at,
            charges: Vec::new(),
            reversed_by: None,
            inquiries: 0,
            net_cancels: 0,
            givings_back: 0,
        })
    }

    /// The charge that a capture, cancel, refund or net-cancel is about: the last one of which something is left.
    pub fn charge(&self) -> Option<&Charge> {
        self.charges.iter().rev().find(|c| c.left() > 0).or(self.charges.last())
    }

    /// The number on the slip, if there is one.
    pub fn approval_number(&self) -> Option<ApprovalNumber> {
        match self.standing {
            Standing::Approved(number) => number,
            Standing::Reversed => self.charges.last().and_then(|c| c.approval_number),
            Standing::Untouched | Standing::Pending(_) | Standing::Declined(..) => None,
        }
    }

    /// The amount that answers name: what was charged, or else what was asked.
    pub fn amount_said(&self) -> i64 {
        self.charges.last().map_or(self.amount.get(), |c| c.charged)
    }

    /// The sums over all charges of this reference.
    pub fn totals(&self) -> Charge {
        self.charges.iter().fold(Charge::default(), |sum, c| Charge {
            charged: sum.charged + c.charged,
            captured: sum.captured + c.captured,
            voided: sum.voided + c.voided,
            refunded: sum.refunded + c.refunded,
            reversed: sum.reversed + c.reversed,
            restored: sum.restored + c.restored,
            held: sum.held + c.held,
            at: c.at,
            approval_number: c.approval_number,
        })
    }

    /// Takes over what an entry of its own (or an inquiry that settled it) says.
    pub fn took(&mut self, entry: &Entry) {
        let undecided = matches!(self.standing, Standing::Untouched | Standing::Pending(_));
        let standing = match (entry.effect, entry.result) {
            (Effect::Charged, _) => {
                self.charges.push(Charge {
                    charged: entry.amount.map_or(0, Amount::get),
                    at: Some(entry.at),
                    approval_number: entry.approval_number,
                    ..Charge::default()
                });
                Standing::Approved(entry.approval_number)
            }
            (Effect::Captured | Effect::Voided | Effect::Refunded | Effect::PaidOut, _) => {
                self.turns = entry.pending;
                Standing::Approved(entry.approval_number)
            }
            (Effect::Restored, _) => {
                self.turns = None;
                Standing::Declined(entry.response_code.unwrap_or(Code::DO_NOT_HONOR), entry.reason)
            }
            // A virtual account was opened or closed: that moves nothing.
            (Effect::None, Outcome::Approved) if undecided => Standing::Approved(None),
            (Effect::None, Outcome::Declined) if undecided => {
                Standing::Declined(entry.response_code.unwrap_or(Code::DO_NOT_HONOR), entry.reason)
            }
            // A repeated answer carries no terms; only the first one says how it will end.
            (Effect::None, Outcome::Pending) if undecided => match entry.pending {
                Some(pending) => Standing::Pending(pending),
                None => return,
            },
            (Effect::None | Effect::Reversed | Effect::Deposited | Effect::TakenBack, _) => return,
        };
        if entry.details.is_some() {
            self.details.clone_from(&entry.details);
        }
        self.standing = standing;
        self.at = entry.at;
        self.visible_at = entry.at.plus_ms(entry.lag_ms);
    }

    /// Takes over what somebody else's entry did to the charges of this one. `settles` says that it was on hold before.
    pub fn suffered(&mut self, entry: &Entry, settles: bool) -> Option<Moved> {
        let amount = entry.amount.map_or(0, Amount::get);
        let last = self.charges.len().saturating_sub(1);
        let is_its = |c: &Charge| if settles { c.held >= amount } else { c.left() > 0 };
        let nth = self.charges.iter().rposition(is_its).unwrap_or(last);
        let mut moved = None;
        if let Some(charge) = self.charges.get_mut(nth) {
            let before = charge.standing();
            if settles {
                charge.held -= amount;
            } else if entry.result == Outcome::Pending && entry.pending.is_some() {
                charge.held += amount;
            }
            charge.add(entry.effect, amount);
            moved = charge.at.map(|charged_at| Moved { used: charge.standing() - before, charged_at });
        }
        if entry.request == Call::NetCancel && entry.result == Outcome::Reversed {
            self.standing = Standing::Reversed;
            self.reversed_by.clone_from(&entry.reference);
        }
        moved.filter(|moved| moved.used != 0)
    }
}
