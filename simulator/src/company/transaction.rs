//! What the company remembers of a reference, and the arithmetic of its money.

use super::{Amount, ApprovalNumber, Call, Code, Currency, Effect, Entry, Id, Outcome, Pending, Reason, Timestamp};

/// Everything known under one reference.
#[derive(Debug)]
pub struct Transaction {
    /// What was asked under it: approve, capture, cancel or refund.
    pub call: Call,
    /// For whom.
    pub merchant_id: Option<Id>,
    /// For which order.
    pub order_id: Option<Id>,
    /// On which card.
    pub token: Option<Id>,
    /// Of a capture, cancel or refund: the charge it is about.
    pub original: Option<Id>,
    /// How much was asked.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
    /// Where it stands.
    pub standing: Standing,
    /// When it came to stand there.
    pub at: Timestamp,
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
}

/// Where a reference stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Heard of, but nothing was done. The next request under the reference moves it.
    Untouched,
    /// Not decided. An inquiry moves it, or a net-cancel.
    Pending(Pending),
    /// Refused; mode N may still be asked again.
    Declined(Code, Option<Reason>),
    /// Done. Only a net-cancel moves it.
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
    /// What was given back after capture.
    pub refunded: i64,
    /// What a net-cancel took back.
    pub reversed: i64,
    /// The number on the slip.
    pub approval_number: Option<ApprovalNumber>,
}

impl Charge {
    /// What the payer still pays.
    pub fn standing(&self) -> i64 {
        self.charged - self.voided - self.refunded - self.reversed
    }

    /// Whether the charge can take this change; if not, why.
    pub fn can(&self, call: Call, amount: Amount) -> Result<(), Reason> {
        let captured = self.captured > 0;
        let left = self.standing();
        match call {
            Call::Cancel | Call::Capture if captured => Err(Reason::AlreadyCaptured),
            _ if left == 0 => Err(Reason::AlreadyCancelled),
            Call::Refund if !captured => Err(Reason::NotCaptured),
            _ if amount.get() > left => Err(Reason::InsufficientBalance),
            // A capture takes all that is left: what should not be captured is cancelled before.
            Call::Capture if amount.get() < left => Err(Reason::InsufficientBalance),
            Call::Register | Call::Approve | Call::NetCancel | Call::Inquire => Err(Reason::NoOriginal),
            Call::Capture | Call::Cancel | Call::Refund => Ok(()),
        }
    }

    fn add(&mut self, effect: Effect, amount: i64) {
        match effect {
            Effect::Charged => self.charged += amount,
            Effect::Captured => self.captured += amount,
            Effect::Voided => self.voided += amount,
            Effect::Refunded => self.refunded += amount,
            Effect::Reversed => self.reversed += amount,
            Effect::None => {}
        }
    }
}

impl Transaction {
    /// A reference heard of for the first time.
    pub fn heard(entry: &Entry) -> Option<Self> {
        Some(Self {
            call: entry.request,
            merchant_id: entry.merchant_id.clone(),
            order_id: entry.order_id.clone(),
            token: entry.token.clone(),
            original: entry.original_reference.clone(),
            amount: entry.asked.or(entry.amount)?,
            currency: entry.currency?,
            standing: Standing::Untouched,
            at: entry.at,
            visible_at: entry.at,
            charges: Vec::new(),
            reversed_by: None,
            inquiries: 0,
            net_cancels: 0,
        })
    }

    /// The charge that a capture, cancel, refund or net-cancel is about: the last one that still stands.
    pub fn charge(&self) -> Option<&Charge> {
        self.charges.iter().rev().find(|c| c.standing() > 0).or(self.charges.last())
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
                    approval_number: entry.approval_number,
                    ..Charge::default()
                });
                Standing::Approved(entry.approval_number)
            }
            (Effect::Captured | Effect::Voided | Effect::Refunded, _) => Standing::Approved(entry.approval_number),
            (Effect::None, Outcome::Declined) if undecided => {
                Standing::Declined(entry.response_code.unwrap_or(Code::DO_NOT_HONOR), entry.reason)
            }
            // A repeated answer carries no terms; only the first one says how it will end.
            (Effect::None, Outcome::Pending) if undecided => match entry.pending {
                Some(pending) => Standing::Pending(pending),
                None => return,
            },
            (Effect::None | Effect::Reversed, _) => return,
        };
        self.standing = standing;
        self.at = entry.at;
        self.visible_at = entry.at.plus_ms(entry.lag_ms);
    }

    /// Takes over what somebody else's entry did to the charges of this one.
    pub fn suffered(&mut self, entry: &Entry) {
        let amount = entry.amount.map_or(0, Amount::get);
        let last = self.charges.len().saturating_sub(1);
        let nth = self.charges.iter().rposition(|c| c.standing() > 0).unwrap_or(last);
        if let Some(charge) = self.charges.get_mut(nth) {
            charge.add(entry.effect, amount);
        }
        if entry.request == Call::NetCancel && entry.result == Outcome::Reversed {
            self.standing = Standing::Reversed;
            self.reversed_by.clone_from(&entry.reference);
        }
    }
}
