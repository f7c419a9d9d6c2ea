//! How often something was asked: some faults befall only the first time.

use super::{Ask, Call, Company, Details, Entry, Id, Request};

/// What is counted.
enum Counter<'a> {
    /// Approvals of a token.
    Token(&'a Id),
    /// Cancels and refunds of a charge.
    GivingsBack(&'a Id),
    /// Net-cancels of a charge.
    NetCancels(&'a Id),
    /// Inquiries about a reference.
    Inquiries(&'a Id),
    /// Issues for an order, pay-outs to an account.
    Arrivals(Call, &'a Id),
}

impl Company {
    /// Counts a request that has arrived. Returns the how-manieth of its kind it is: for an approval, of its token; for an
    /// inquiry, net-cancel, cancel or refund, about its reference; for an issue, of its order; for a pay-out, to its
    /// account. For the others 1.
    pub fn arrived(&mut self, ask: &Ask) -> u32 {
        let counter = match &ask.request {
            Request::Approve(a) => Some(Counter::Token(&a.token)),
            Request::Change(Call::Cancel | Call::Refund, c) => Some(Counter::GivingsBack(&c.original_reference)),
            Request::NetCancel(n) => Some(Counter::NetCancels(&n.original_reference)),
            Request::Inquire(reference) => Some(Counter::Inquiries(reference)),
            Request::Issue(issue) => Some(Counter::Arrivals(Call::Issue, &issue.order_id)),
            Request::PayOut(pay_out) => pay_out.to.as_ref().ok().map(|to| Counter::Arrivals(Call::PayOut, &to.holder)),
            Request::Verify(_)
            | Request::Register(_)
            | Request::Subscribe(_)
            | Request::Balance(_)
            | Request::Change(..)
            | Request::Close(_) => None,
        };
        counter.map_or(1, |counter| self.count(&counter))
    }

    /// Counts what a journal's entry says was asked.
    pub(super) fn count_entry(&mut self, entry: &Entry) {
        let counter = match entry.request {
            Call::Approve => entry.token.as_ref().map(Counter::Token),
            Call::Cancel | Call::Refund => entry.original_reference.as_ref().map(Counter::GivingsBack),
            Call::NetCancel => entry.original_reference.as_ref().map(Counter::NetCancels),
            Call::Inquire => entry.reference.as_ref().map(Counter::Inquiries),
            Call::Issue => entry.order_id.as_ref().map(|order| Counter::Arrivals(Call::Issue, order)),
            Call::PayOut => match &entry.details {
                Some(Details::PayOut(line)) => line.to.as_ref().map(|to| Counter::Arrivals(Call::PayOut, &to.holder)),
                Some(Details::Instalment(_) | Details::Issue(_) | Details::Deposit(_) | Details::Notice(_)) | None => {
                    None
                }
            },
            Call::Verify
            | Call::Register
            | Call::Balance
            | Call::Capture
            | Call::Close
            | Call::Deposit
            | Call::TakeBack
            | Call::Notify => None,
        };
        if let Some(counter) = counter {
            self.count(&counter);
        }
    }

    fn count(&mut self, counter: &Counter<'_>) -> u32 {
        let count = match counter {
            Counter::Token(token) => self.instruments.get_mut(*token).map(|instrument| &mut instrument.asked),
            Counter::GivingsBack(original) => self.transactions.get_mut(*original).map(|t| &mut t.givings_back),
            Counter::NetCancels(original) => self.transactions.get_mut(*original).map(|t| &mut t.net_cancels),
            Counter::Inquiries(reference) => self.transactions.get_mut(*reference).map(|t| &mut t.inquiries),
            Counter::Arrivals(call, id) => Some(self.arrivals.entry((*call, (*id).clone())).or_default()),
        };
        count.map_or(1, |count| {
            *count = count.saturating_add(1);
            *count
        })
    }
}
