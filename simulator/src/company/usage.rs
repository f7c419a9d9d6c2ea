//! How much of an account, a phone or a membership is used, and how much of it may be.

use std::collections::HashMap;

use super::{Code, HolderFacts, Id, Method, Reason, Timestamp};

/// What was used, by holder and time. Whole minor units.
#[derive(Debug, Default)]
pub(super) struct Usage(HashMap<(Id, Span), i64>);

/// A stretch of time in Korea.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Span {
    Ever,
    Month(i32, u8),
    Day(i32),
}

impl Usage {
    /// Whether so much more may be used now; if not, why.
    pub(super) fn room(
        &self,
        method: Method,
        facts: &HolderFacts,
        more: i64,
        now: Timestamp,
    ) -> Result<(), (Code, Reason)> {
        let holder = &facts.holder;
        if facts.balance.is_some_and(|balance| self.used(holder, Span::Ever) + more > balance) {
            return Err((Code::INSUFFICIENT_FUNDS, Reason::InsufficientFunds));
        }
        let (used, reason) = match method {
            Method::Carrier => (self.used(holder, Span::month(now)), Reason::MonthlyLimit),
            Method::Card | Method::Transfer | Method::VirtualAccount | Method::Points => {
                (self.used(holder, Span::day(now)), Reason::DailyLimit)
            }
        };
        if facts.limit.is_some_and(|limit| used + more > limit) {
            return Err((Code::OVER_LIMIT, reason));
        }
        Ok(())
    }

    /// What is left of what there was at the beginning.
    pub(super) fn balance(&self, facts: &HolderFacts) -> Option<i64> {
        facts.balance.map(|balance| balance - self.used(&facts.holder, Span::Ever))
    }

    /// What was used in this month.
    pub(super) fn used_this_month(&self, facts: &HolderFacts, now: Timestamp) -> i64 {
        self.used(&facts.holder, Span::month(now))
    }

    /// Notes that so much more (or less) of a charge made at `at` is used.
    pub(super) fn add(&mut self, holder: &Id, amount: i64, at: Timestamp) {
        for span in [Span::Ever, Span::month(at), Span::day(at)] {
            *self.0.entry((holder.clone(), span)).or_default() += amount;
        }
    }

    fn used(&self, holder: &Id, span: Span) -> i64 {
        self.0.get(&(holder.clone(), span)).copied().unwrap_or(0)
    }
}

impl Span {
    fn month(at: Timestamp) -> Self {
        let (year, month) = at.month();
        Self::Month(year, month)
    }

    fn day(at: Timestamp) -> Self {
        Self::Day(at.day())
    }
}
