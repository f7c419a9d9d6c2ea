//! A card company in thirty lines of rules.

use time::{Duration, OffsetDateTime};

use super::super::attempt::{
    Answer, ApprovalFacts, ApproveAnswer, Call, ChangeAnswer, ChangeFacts, ChangeRefusal, InquiryAnswer,
    NetCancelAnswer, RefusedBecause,
};
use super::super::failure::{Failure, FailureCode};
use super::super::fixtures::won;
use super::super::id::Reference;

/// A call that it was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked(usize);

struct Request {
    call: Call,
    reference: Reference,
    /// Of a change: of which approval, and how much.
    change: Option<(Reference, i64)>,
    acts_at: OffsetDateTime,
    lag: Duration,
    wrong_amount: bool,
    kind: u32,
    answer: Option<Answer>,
}

/// What it did under a reference.
struct Deed {
    reference: Reference,
    /// Nothing when it declined.
    amount: Option<i64>,
    /// Before that, inquiries and net-cancels do not see it.
    seen_from: OffsetDateTime,
    reversed: bool,
}

/// A change of a charge that it was asked for, and what came of that.
struct Change {
    reference: Reference,
    call: Call,
    amount: i64,
    seen_from: OffsetDateTime,
    refused: Option<RefusedBecause>,
}

pub(super) struct Acquirer {
    dedupes: bool,
    requests: Vec<Request>,
    deeds: Vec<Deed>,
    changes: Vec<Change>,
    /// Whether it bought the slip, at its own pleasure or ours.
    pub(super) captured: bool,
}

impl Acquirer {
    pub(super) const fn new(dedupes: bool) -> Self {
        Self { dedupes, requests: Vec::new(), deeds: Vec::new(), changes: Vec::new(), captured: false }
    }

    pub(super) fn ask(
        &mut self,
        call: Call,
        reference: &Reference,
        change: Option<(Reference, i64)>,
        (acts_at, lag): (OffsetDateTime, Duration),
        wrong_amount: bool,
        kind: u32,
    ) -> Asked {
        let reference = reference.clone();
        self.requests.push(Request { call, reference, change, acts_at, lag, wrong_amount, kind, answer: None });
        Asked(self.requests.len() - 1)
    }

    pub(super) fn acts_at(&self, asked: Asked) -> OffsetDateTime {
        self.requests[asked.0].acts_at
    }

    pub(super) fn answer(&self, asked: Asked) -> Answer {
        self.requests[asked.0].answer.clone().unwrap()
    }

    /// Does what is due by now, in order.
    pub(super) fn advance(&mut self, now: OffsetDateTime) {
        loop {
            let due = self.requests.iter().enumerate().filter(|(_, r)| r.answer.is_none() && r.acts_at <= now);
            let Some((place, _)) = due.min_by_key(|(_, r)| r.acts_at) else { return };
            let answer = match self.requests[place].call {
                Call::Approve => Answer::Approve(self.approve(place)),
                Call::Inquire => Answer::Inquire(self.inquire(place)),
                Call::NetCancel => Answer::NetCancel(self.net_cancel(place)),
                call @ (Call::Capture | Call::Cancel | Call::Refund) => Answer::Change(call, self.change(place)),
                Call::Issue | Call::Close | Call::Return => unreachable!("a card company has no accounts to pay into"),
            };
            self.requests[place].answer = Some(answer);
        }
    }

    fn approve(&mut self, place: usize) -> ApproveAnswer {
        let request = &self.requests[place];
        let first = self.deeds.iter().find(|deed| self.dedupes && deed.reference == request.reference);
        let amount = match first {
            Some(deed) => deed.amount,
            None => {
                if request.kind >= 95 {
                    return ApproveAnswer::Busy("M1".into());
                }
                let amount = (request.kind >= 15).then_some(15_000 + i64::from(request.wrong_amount));
                self.deeds.push(Deed {
                    reference: request.reference.clone(),
                    amount,
                    seen_from: request.acts_at + request.lag,
                    reversed: false,
                });
                amount
            }
        };
        match amount {
            _ if request.kind >= 90 => ApproveAnswer::Pending,
            Some(amount) => ApproveAnswer::Approved(facts(amount)),
            None => ApproveAnswer::Declined(declined()),
        }
    }

    fn change(&mut self, place: usize) -> ChangeAnswer {
        let request = &self.requests[place];
        let (kind, call) = (request.kind, request.call);
        let (original, amount) = request.change.clone().unwrap();
        let known = self.changes.iter().find(|change| self.dedupes && change.reference == request.reference);
        let refused = match known {
            Some(change) => change.refused,
            None => {
                if kind >= 95 {
                    return ChangeAnswer::Busy("M1".into());
                }
                let left = self.left(&original);
                let refused = match call {
                    _ if kind < 5 => Some(RefusedBecause::Declined),
                    Call::Cancel | Call::Capture if self.captured => Some(RefusedBecause::AlreadyCaptured),
                    _ if left == 0 => Some(RefusedBecause::AlreadyCanceled),
                    Call::Refund if !self.captured => Some(RefusedBecause::Disagrees),
                    Call::Capture if amount != left => Some(RefusedBecause::Disagrees),
                    _ if amount > left => Some(RefusedBecause::Disagrees),
                    Call::Capture | Call::Cancel | Call::Refund => None,
                    Call::Approve | Call::Inquire | Call::NetCancel | Call::Issue | Call::Close | Call::Return => {
                        unreachable!("no change is asked for")
                    }
                };
                self.captured |= call == Call::Capture && refused.is_none();
                let reference = request.reference.clone();
                let seen_from = request.acts_at + request.lag;
                self.changes.push(Change { reference, call, amount, seen_from, refused });
                refused
            }
        };
        match refused {
            _ if kind >= 90 => ChangeAnswer::Pending,
            Some(why) => ChangeAnswer::Declined(refusal(why)),
            None => {
                let said = amount + i64::from(self.requests[place].wrong_amount);
                ChangeAnswer::Done(ChangeFacts { money: Some(won(said)) })
            }
        }
    }

    /// What is left of a charge.
    fn left(&self, original: &Reference) -> i64 {
        let charges = self.deeds.iter().filter(|deed| !deed.reversed && deed.reference == *original);
        let charged: i64 = charges.filter_map(|deed| deed.amount).sum();
        charged - self.returned(Call::Cancel) - self.returned(Call::Refund)
    }

    /// How much went back by this call.
    pub(super) fn returned(&self, call: Call) -> i64 {
        let done = self.changes.iter().filter(|change| change.call == call && change.refused.is_none());
        done.map(|change| change.amount).sum()
    }

    /// Whether it ever had to say that its books are not as ours.
    pub(super) fn ever_disagreed(&self) -> bool {
        use RefusedBecause::{AlreadyCanceled, Disagrees};
        self.changes.iter().any(|change| matches!(change.refused, Some(AlreadyCanceled | Disagrees)))
    }

    /// Buys the slip of the only charge there is, though nobody asked.
    pub(super) fn captures_by_itself(&mut self) {
        self.captured |= self.charged().iter().sum::<i64>() > self.returned(Call::Cancel);
    }

    fn inquire(&self, place: usize) -> InquiryAnswer {
        let request = &self.requests[place];
        if request.kind >= 90 {
            return InquiryAnswer::Pending;
        }
        let mut changes = self
            .changes
            .iter()
            .filter(|change| change.reference == request.reference && change.seen_from <= request.acts_at);
        match changes.next() {
            Some(Change { refused: Some(RefusedBecause::Declined), .. }) => return InquiryAnswer::Declined(declined()),
            Some(Change { refused: Some(why), .. }) => return InquiryAnswer::Refused(refusal(*why)),
            Some(Change { refused: None, amount, .. }) => return InquiryAnswer::Approved(facts(*amount)),
            None => {}
        }
        let mut seen: Vec<&Deed> = self.seen(request).collect();
        seen.sort_by_key(|deed| deed.reversed);
        match seen.first() {
            None => InquiryAnswer::NotFound,
            Some(Deed { amount: None, .. }) => InquiryAnswer::Declined(declined()),
            Some(Deed { reversed: true, .. }) => InquiryAnswer::Reversed,
            Some(Deed { amount: Some(amount), .. }) => InquiryAnswer::Approved(facts(*amount)),
        }
    }

    fn net_cancel(&mut self, place: usize) -> NetCancelAnswer {
        if self.requests[place].kind >= 95 {
            return NetCancelAnswer::Refused("96".into());
        }
        let request = &self.requests[place];
        let charges = |deed: &&mut Deed| {
            deed.reference == request.reference && deed.seen_from <= request.acts_at && deed.amount.is_some()
        };
        let mut any = false;
        for deed in self.deeds.iter_mut().filter(charges) {
            deed.reversed = true;
            any = true;
        }
        if any { NetCancelAnswer::Reversed } else { NetCancelAnswer::NoOriginal }
    }

    fn seen<'a>(&'a self, request: &'a Request) -> impl Iterator<Item = &'a Deed> {
        let seen = |deed: &&Deed| deed.reference == request.reference && deed.seen_from <= request.acts_at;
        self.deeds.iter().filter(seen)
    }

    /// What it holds of the payer's money.
    pub(super) fn charged(&self) -> Vec<i64> {
        self.deeds.iter().filter(|deed| !deed.reversed).filter_map(|deed| deed.amount).collect()
    }

    pub(super) fn ever_charged(&self) -> bool {
        self.deeds.iter().any(|deed| deed.amount.is_some())
    }
}

fn facts(amount: i64) -> ApprovalFacts {
    ApprovalFacts { money: Some(won(amount)), number: "12345678".into(), interest_payer: None }
}

fn refusal(why: RefusedBecause) -> ChangeRefusal {
    ChangeRefusal { why, code: "57".into() }
}

fn declined() -> Failure {
    Failure::declined(FailureCode::RejectCardPayment, "51")
}
