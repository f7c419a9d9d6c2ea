//! The companies' books: cards, accounts, phones, members, charges, deposits and what happened to them. Pure: no clock, no
//! randomness, no input or output. Each method of payment has its own counter on the wire; the books, the rules of
//! references and the journal are one.
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
mod count;
mod effects;
mod entry;
mod holder;
mod id;
mod inquire;
mod instalment;
mod method;
mod money;
mod name;
mod net_cancel;
mod register;
mod sight;
mod timestamp;
mod transaction;
mod usage;
pub mod virtual_account;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;

pub use answer::{Answer, Decision, More, Refusal, Token};
pub use ask::{Approve, Ask, Call, Change, NetCancel, Register, Request, Sight, Subscribe, Verify};
pub use card::{CardFacts, Presented, Unreadable, is_card_number};
pub use code::{ApprovalNumber, Code};
pub use effects::EffectsOf;
pub use entry::{Details, Effect, Entry, Outcome, Pending, Reason};
pub use holder::{HolderFacts, Instrument, Known, Means, PresentedAccount, PresentedMember, PresentedPhone, is_bank};
pub use id::{Id, NotAnId};
pub use instalment::{Instalment, InterestPayer};
pub use method::Method;
pub use money::{Amount, Currency};
pub use name::{Address, Name, NotAName, NotAnAddress};
pub use timestamp::{NotATimestamp, Timestamp};
pub use transaction::{Charge, Moved, Standing, Transaction};

use register::Verification;
use usage::Usage;
use virtual_account::VirtualAccounts;

/// The books of all companies.
#[derive(Debug, Default)]
pub struct Company {
    seq: u64,
    /// Cards, accounts, phones and members, by their tokens.
    instruments: HashMap<Id, Instrument>,
    verifications: HashMap<Id, Verification>,
    transactions: HashMap<Id, Transaction>,
    /// The approval (or issue) references of each order.
    orders: HashMap<Id, Vec<Id>>,
    /// What was used of accounts, phones and memberships.
    usage: Usage,
    virtual_accounts: VirtualAccounts,
    /// How often an issue was asked for an order, or a pay-out to an account.
    arrivals: HashMap<(Call, Id), u32>,
}

/// What to do with a request that has arrived. Where an act means nothing for a request, the request is handled normally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// By the rules.
    Normally,
    /// Decline (all but inquiries and net-cancels), for a reason that need not be true.
    Decline(Code, Option<Reason>),
    /// Charge the card this often, then decline (approve).
    ApproveUpTo(u32),
    /// Leave undecided (approve, cancel, refund, pay out).
    Pend(Pending),
    /// Do it, and have it turn out to have failed later (cancel, refund, pay out).
    FailLater(Pending),
    /// Charge so much more than asked (approve).
    ChargeMore(i64),
    /// Charge, and capture without being asked (approve, of a card).
    ChargeAndCapture,
    /// Say that it can't be undone (net-cancel).
    Refuse,
    /// Look past it (inquire, net-cancel).
    NotFound,
    /// Do nothing and decide nothing: the request is lost before it reaches the books.
    Nothing,
}

impl Act {
    /// What it makes of a registration that the rules would judge so. `None` when it never reaches the books.
    fn judge<T>(self, by_the_rules: Result<T, Code>) -> Option<Result<T, Code>> {
        if let Self::Decline(code, _) = self {
            return Some(Err(code));
        }
        (self != Self::Nothing).then_some(by_the_rules)
    }
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
    #[error("this reference was used before with another method, kind, amount, currency or merchant")]
    ReferenceReused,
}

impl Company {
    /// Takes over one entry of the journal. Entries must come in order.
    pub fn replay(&mut self, entry: &Entry) {
        self.count_entry(entry);
        self.apply(entry);
    }

    /// Decides a request, changes the books, and says what to answer and to write down.
    pub fn handle(&mut self, ask: &Ask, act: Act, around: Around) -> Result<Done, Misuse> {
        let method = ask.method;
        match &ask.request {
            Request::Verify(verify) => Ok(self.verify(method, verify, act, around)),
            Request::Register(register) => Ok(self.register(method, register, act, around)),
            Request::Subscribe(subscribe) => Ok(self.subscribe(method, subscribe, act, around)),
            Request::Balance(token) => Ok(self.balance(method, token, act, around)),
            Request::Approve(approve) => self.approve(method, approve, act, around),
            Request::Change(call, change) => self.change(method, *call, change, act, around),
            Request::NetCancel(net_cancel) => Ok(self.net_cancel(method, net_cancel, act, around)),
            Request::Inquire(reference) => Ok(self.inquire(method, reference, act, around)),
            Request::Issue(issue) => self.issue(issue, act, around),
            Request::Close(close) => self.close(close, act, around),
            Request::PayOut(pay_out) => self.pay_out(pay_out, act, around),
        }
    }

    /// An entry that says that nothing has been done yet.
    fn draft(&self, method: Method, request: Call, around: Around) -> Entry {
        Entry {
            seq: self.seq + 1,
            at: around.now,
            method,
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
            holder: None,
            details: None,
            trace_id: around.trace_id,
        }
    }

    /// The one place where the books change.
    fn apply(&mut self, entry: &Entry) {
        self.seq = entry.seq;
        match entry.request {
            Call::Verify => self.apply_verification(entry),
            Call::Register => self.apply_registration(entry),
            Call::Balance => {}
            Call::Approve => self.apply_own(entry),
            Call::Capture | Call::Cancel | Call::Refund => {
                self.apply_own(entry);
                self.apply_to_original(entry, false);
            }
            Call::NetCancel => self.apply_to_original(entry, false),
            Call::Inquire => self.apply_inquiry(entry),
            Call::Issue => {
                self.apply_own(entry);
                self.apply_issue(entry);
            }
            Call::Close => {
                self.apply_own(entry);
                self.apply_close(entry);
            }
            Call::PayOut => {
                self.apply_own(entry);
                self.apply_pay_out(entry);
            }
            Call::Deposit | Call::TakeBack => self.apply_deposit(entry),
            Call::Notify => self.apply_notice(entry),
        }
        if entry.effect == Effect::Charged {
            self.apply_charge(entry);
        }
    }

    fn apply_own(&mut self, entry: &Entry) {
        // A capture that nobody asked for has no reference of its own.
        let Some(reference) = &entry.reference else { return };
        match self.transactions.get_mut(reference) {
            Some(transaction) => transaction.took(entry),
            None => {
                let Some(mut transaction) = Transaction::heard(entry) else { return };
                transaction.took(entry);
                if let (Call::Approve | Call::Issue, Some(order_id)) = (entry.request, &entry.order_id) {
                    self.orders.entry(order_id.clone()).or_default().push(reference.clone());
                }
                self.transactions.insert(reference.clone(), transaction);
            }
        }
    }

    /// `settles` says that the money was on hold until now.
    fn apply_to_original(&mut self, entry: &Entry, settles: bool) {
        let original = entry.original_reference.as_ref().and_then(|r| self.transactions.get_mut(r));
        let Some(original) = original.filter(|original| original.call == Call::Approve) else { return };
        let Some(moved) = original.suffered(entry, settles) else { return };
        let instrument = original.token.as_ref().and_then(|token| self.instruments.get(token));
        if let Some(holder) = instrument.and_then(|instrument| instrument.known.holder()) {
            self.usage.add(&holder.holder, moved.used, moved.charged_at);
        }
    }

    fn apply_charge(&mut self, entry: &Entry) {
        let instrument = entry.token.as_ref().and_then(|token| self.instruments.get_mut(token));
        let Some(instrument) = instrument else { return };
        instrument.charged = instrument.charged.saturating_add(1);
        if let Some(holder) = instrument.known.holder() {
            self.usage.add(&holder.holder, entry.amount.map_or(0, Amount::get), entry.at);
        }
    }

    fn is_pending(&self, reference: &Id) -> bool {
        self.transactions.get(reference).is_some_and(|known| matches!(known.standing, Standing::Pending(_)))
    }

    /// Applies the entry and answers with it.
    fn conclude(&mut self, entry: Entry) -> Done {
        self.apply(&entry);
        let answer = Answer::Decision(Box::new(self.decision(&entry, entry.at)));
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
        let mut decision = self.decision(&entry, at);
        decision.amount = Some(said);
        Some(Done { answer: Answer::Decision(Box::new(decision)), entries: vec![entry] })
    }
}
