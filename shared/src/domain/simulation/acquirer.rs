//! A card company in thirty lines of rules.

use time::{Duration, OffsetDateTime};

use super::super::attempt::{Answer, ApprovalFacts, ApproveAnswer, Call, InquiryAnswer, NetCancelAnswer};
use super::super::failure::{Failure, FailureCode};
use super::super::fixtures::won;
use super::super::id::Reference;

/// A call that it was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked(usize);

struct Request {
    call: Call,
    reference: Reference,
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

pub(super) struct Acquirer {
    dedupes: bool,
    requests: Vec<Request>,
    deeds: Vec<Deed>,
}

impl Acquirer {
    pub(super) const fn new(dedupes: bool) -> Self {
        Self { dedupes, requests: Vec::new(), deeds: Vec::new() }
    }

    pub(super) fn ask(
        &mut self,
        call: Call,
        reference: &Reference,
        acts_at: OffsetDateTime,
        lag: Duration,
        wrong_amount: bool,
        kind: u32,
    ) -> Asked {
        let reference = reference.clone();
        self.requests.push(Request { call, reference, acts_at, lag, wrong_amount, kind, answer: None });
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
                Call::Capture | Call::Cancel | Call::Refund => unreachable!("nobody asks for a change here"),
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

    fn inquire(&self, place: usize) -> InquiryAnswer {
        let request = &self.requests[place];
        if request.kind >= 90 {
            return InquiryAnswer::Pending;
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
    ApprovalFacts { money: Some(won(amount)), number: "12345678".into() }
}

fn declined() -> Failure {
    Failure::declined(FailureCode::RejectCardPayment, "51")
}
