//! The card company: cards, charges and what happened to them. Pure: no clock, no randomness, no input or output.
//!
//! [`Company::handle`] decides a request and returns the answer with the journal entries that say what was done;
//! [`Company::replay`] reads such entries back. Both change the books through one function, `apply`, so that a company
//! rebuilt from its journal is the company that wrote it.

mod answer;
mod approve;
mod ask;
mod card;
mod change;
mod code;
mod effects;
mod entry;
mod id;
mod inquire;
mod money;
mod net_cancel;
mod register;
mod timestamp;
mod transaction;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;

pub use answer::{Answer, Decision, Refusal, Token};
pub use ask::{Approve, Ask, Call, Change, NetCancel, Register, Sight};
pub use card::{Card, CardFacts, Presented, Unreadable, is_card_number};
pub use code::{ApprovalNumber, Code};
pub use effects::EffectsOf;
pub use entry::{Effect, Entry, Outcome, Pending, Reason};
pub use id::{Id, NotAnId};
pub use money::{Amount, Currency};
pub use timestamp::{NotATimestamp, Timestamp};
pub use transaction::{Charge, Standing, Transaction};

/// The books of one card company.
#[derive(Debug, Default)]
pub struct Company {
    seq: u64,
    cards: HashMap<Id, Card>,
    transactions: HashMap<Id, Transaction>,
    /// The approval references of each order.
    orders: HashMap<Id, Vec<Id>>,
}

/// What to do with a request that has arrived. Where an act means nothing for a request, the request is handled normally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// By the rules.
    Normally,
    /// Decline (approve, capture, cancel, refund, register).
    Decline(Code),
    /// Charge the card this often, then decline (approve).
    ApproveUpTo(u32),
    /// Leave undecided (approve).
    Pend(Pending),
    /// Charge so much more than asked (approve).
    ChargeMore(i64),
    /// Say that it can't be undone (net-cancel).
    Refuse,
    /// Look past it (inquire, net-cancel).
    NotFound,
    /// Do nothing and decide nothing: the request is lost before it reaches the books.
    Nothing,
}

/// How the company treats a reference it has already acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Mode {
    /// Dedupes: the first answer again, and no second effect.
    D,
    /// Doesn't: acts each time it is asked.
    N,
}

/// What surrounds a request.
#[derive(Clone, Debug)]
pub struct Around {
    /// Now.
    pub now: Timestamp,
    /// How to treat known references.
    pub mode: Mode,
    /// Inquiries don't find what this request does for so many milliseconds.
    pub lag_ms: u64,
    /// The misbehaviour in force, for the journal.
    pub fault: Option<Cow<'static, str>>,
    /// The trace the request came with, for the journal.
    pub trace_id: Option<Id>,
}

/// A decided request: what to say and what to write down first.
#[derive(Debug)]
pub struct Done {
    /// The true answer.
    pub answer: Answer,
    /// Already applied; to be made durable before anyone hears the answer.
    pub entries: Vec<Entry>,
}

/// A request that contradicts an earlier one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// The reference stands for something else.
    #[error("this reference was used before with another kind, amount, currency or merchant")]
    ReferenceReused,
}

impl Company {
    /// Takes over one entry of the journal. Entries must come in order.
    pub fn replay(&mut self, entry: &Entry) {
        self.count(entry.request, entry.reference.as_ref(), entry.original_reference.as_ref(), entry.token.as_ref());
        self.apply(entry);
    }

    /// Counts a request that has arrived. Returns the how-manieth of its kind it is: for an approval, on its card; for
    /// an inquiry or net-cancel, about its reference. For the others 1.
    pub fn arrived(&mut self, ask: &Ask) -> u32 {
        match ask {
            Ask::Register(_) | Ask::Change(..) => 1,
            Ask::Approve(a) => self.count(Call::Approve, Some(&a.reference), None, Some(&a.token)),
            Ask::NetCancel(n) => self.count(Call::NetCancel, Some(&n.reference), Some(&n.original_reference), None),
            Ask::Inquire(reference) => self.count(Call::Inquire, Some(reference), None, None),
        }
    }

    /// Decides a request, changes the books, and says what to answer and to write down.
    pub fn handle(&mut self, ask: &Ask, act: Act, around: Around) -> Result<Done, Misuse> {
        match ask {
            Ask::Register(register) => Ok(self.register(register, act, around)),
            Ask::Approve(approve) => self.approve(approve, act, around),
            Ask::Change(call, change) => self.change(*call, change, act, around),
            Ask::NetCancel(net_cancel) => Ok(self.net_cancel(net_cancel, act, around)),
            Ask::Inquire(reference) => Ok(self.inquire(reference, act, around)),
        }
    }

    /// What can be said about a request before it is acted on.
    pub fn sight(&self, ask: &Ask) -> Sight {
        match ask {
            Ask::Register(r) => Sight {
                call: Call::Register,
                reference: None,
                original_reference: None,
                merchant_id: Some(r.merchant_id.clone()),
                order_id: None,
                token: None,
                amount: None,
            },
            Ask::Approve(a) => Sight {
                call: Call::Approve,
                reference: Some(a.reference.clone()),
                original_reference: None,
                merchant_id: Some(a.merchant_id.clone()),
                order_id: Some(a.order_id.clone()),
                token: Some(a.token.clone()),
                amount: Some(a.amount.get()),
            },
            Ask::Change(call, c) => Sight {
                call: *call,
                reference: Some(c.reference.clone()),
                original_reference: Some(c.original_reference.clone()),
                merchant_id: Some(c.merchant_id.clone()),
                order_id: Some(c.order_id.clone()),
                token: self.transactions.get(&c.original_reference).and_then(|t| t.token.clone()),
                amount: Some(c.amount.get()),
            },
            Ask::NetCancel(n) => {
                let original = self.transactions.get(&n.original_reference);
                Sight {
                    call: Call::NetCancel,
                    reference: Some(n.reference.clone()),
                    original_reference: Some(n.original_reference.clone()),
                    merchant_id: Some(n.merchant_id.clone()),
                    order_id: original.and_then(|t| t.order_id.clone()),
                    token: original.and_then(|t| t.token.clone()),
                    amount: Some(n.amount.get()),
                }
            }
            Ask::Inquire(reference) => {
                let about = self.transactions.get(reference);
                Sight {
                    call: Call::Inquire,
                    reference: Some(reference.clone()),
                    original_reference: about.and_then(|t| t.original.clone()),
                    merchant_id: about.and_then(|t| t.merchant_id.clone()),
                    order_id: about.and_then(|t| t.order_id.clone()),
                    token: about.and_then(|t| t.token.clone()),
                    amount: about.map(|t| t.amount.get()),
                }
            }
        }
    }

    /// A registered card.
    pub fn card(&self, token: &Id) -> Option<&Card> {
        self.cards.get(token)
    }

    /// The card a reference is about.
    pub fn token_of(&self, reference: &Id) -> Option<&Id> {
        self.transactions.get(reference).and_then(|transaction| transaction.token.as_ref())
    }

    fn count(&mut self, call: Call, reference: Option<&Id>, original: Option<&Id>, token: Option<&Id>) -> u32 {
        let counter = match call {
            Call::Register | Call::Capture | Call::Cancel | Call::Refund => None,
            Call::Approve => token.and_then(|t| self.cards.get_mut(t)).map(|card| &mut card.asked),
            Call::NetCancel => original.and_then(|r| self.transactions.get_mut(r)).map(|t| &mut t.net_cancels),
            Call::Inquire => reference.and_then(|r| self.transactions.get_mut(r)).map(|t| &mut t.inquiries),
        };
        counter.map_or(1, |count| {
            *count = count.saturating_add(1);
            *count
        })
    }

    /// An entry that says that nothing has been done yet.
    fn draft(&self, request: Call, around: Around) -> Entry {
        Entry {
            seq: self.seq + 1,
            at: around.now,
            request,
            reference: None,
            original_reference: None,
            merchant_id: None,
            order_id: None,
            token: None,
            amount: None,
            asked: None,
            currency: None,
            effect: Effect::None,
            result: Outcome::Nothing,
            response_code: None,
            approval_number: None,
            reason: None,
            fault: around.fault,
            lag_ms: around.lag_ms,
            pending: None,
            card: None,
            trace_id: around.trace_id,
        }
    }

    /// The one place where the books change.
    fn apply(&mut self, entry: &Entry) {
        self.seq = entry.seq;
        match entry.request {
            Call::Register => self.apply_registration(entry),
            Call::Approve | Call::Capture | Call::Cancel | Call::Refund => self.apply_own(entry),
            Call::NetCancel => self.apply_to_original(entry),
            Call::Inquire => self.apply_inquiry(entry),
        }
        if entry.effect == Effect::Charged
            && let Some(card) = entry.token.as_ref().and_then(|token| self.cards.get_mut(token))
        {
            card.charged = card.charged.saturating_add(1);
        }
    }

    fn apply_own(&mut self, entry: &Entry) {
        let Some(reference) = &entry.reference else { return };
        match self.transactions.get_mut(reference) {
            Some(transaction) => transaction.took(entry),
            None => {
                let Some(mut transaction) = Transaction::heard(entry) else { return };
                transaction.took(entry);
                if let (Call::Approve, Some(order_id)) = (entry.request, &entry.order_id) {
                    self.orders.entry(order_id.clone()).or_default().push(reference.clone());
                }
                self.transactions.insert(reference.clone(), transaction);
            }
        }
        if entry.request != Call::Approve {
            self.apply_to_original(entry);
        }
    }

    fn apply_to_original(&mut self, entry: &Entry) {
        if let Some(original) = entry.original_reference.as_ref().and_then(|r| self.transactions.get_mut(r)) {
            original.suffered(entry);
        }
    }

    /// Applies the entry and answers with it.
    fn conclude(&mut self, entry: Entry) -> Done {
        self.apply(&entry);
        let answer = Answer::Decision(Box::new(Decision::of(&entry, entry.at)));
        Done { answer, entries: vec![entry] }
    }

    /// The first answer again (mode D), or `None` when there is none yet.
    fn again(&mut self, draft: &Entry) -> Option<Done> {
        let known = self.transactions.get(draft.reference.as_ref()?)?;
        let (result, code, reason) = match known.standing {
            Standing::Untouched => return None,
            Standing::Pending(_) => (Outcome::Pending, None, None),
            Standing::Declined(code, reason) => (Outcome::Declined, Some(code), reason),
            Standing::Approved(_) => (Outcome::Approved, Some(Code::APPROVED), None),
            Standing::Reversed => (Outcome::Reversed, Some(Code::APPROVED), None),
        };
        let approval_number = known.approval_number();
        let entry = Entry { result, response_code: code, reason, approval_number, ..draft.clone() };
        let (at, said) = (known.at, known.amount_said());
        self.apply(&entry);
        let mut decision = Decision::of(&entry, at);
        decision.amount = Some(said);
        Some(Done { answer: Answer::Decision(Box::new(decision)), entries: vec![entry] })
    }
}
