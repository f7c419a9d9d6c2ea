//! Charging a card, drawing from an account, putting on a phone's bill, using points.

use super::{
    Act, Amount, ApprovalNumber, Approve, Around, Call, Code, Company, Details, Done, Effect, Entry, Instalment,
};
use super::{Instrument, Known, Method, Misuse, Mode, Outcome, Pending, Reason, Timestamp, Transaction};

/// The gateway itself, by the name its contract has. A token that it registered under its own name is good for every merchant
/// whose payments it takes.
const PLATFORM: &str = "naru";

impl Company {
    pub(super) fn approve(&mut self, method: Method, ask: &Approve, act: Act, around: Around) -> Result<Done, Misuse> {
        if self.transactions.get(&ask.reference).is_some_and(|known| !is_same(known, method, ask)) {
            return Err(Misuse::ReferenceReused);
        }
        let mode = around.mode;
        let mut entry = self.draft(method, Call::Approve, around);
        let instrument = self.instruments.get(&ask.token);
        entry.reference = Some(ask.reference.clone());
        entry.merchant_id = Some(ask.merchant_id.clone());
        entry.order_id = Some(ask.order_id.clone());
        // A token that isn't ours could be anything, a card number too: it is not written down.
        entry.token = instrument.map(|_| ask.token.clone());
        entry.amount = Some(ask.amount);
        entry.currency = Some(ask.currency);
        let valid = instrument
            .filter(|known| known.merchant_id == ask.merchant_id || known.merchant_id.as_str() == PLATFORM)
            .filter(|known| known.method == method);
        let verdict = self.verdict(ask, act, valid, entry.at);

        if act != Act::Nothing
            && mode == Mode::D
            && let Some(done) = self.again(&entry)
        {
            return Ok(done);
        }
        match verdict {
            Verdict::Nothing => {}
            Verdict::Charge { charged, instalment, captured } => {
                entry.effect = Effect::Charged;
                entry.result = Outcome::Approved;
                entry.response_code = Some(Code::APPROVED);
                entry.approval_number = Some(ApprovalNumber::of_line(entry.seq));
                entry.asked = (charged != ask.amount).then_some(ask.amount);
                entry.amount = Some(charged);
                entry.details = instalment.map(Details::Instalment);
                if captured {
                    return Ok(self.captured_at_once(entry));
                }
            }
            Verdict::Decline(code, reason) => {
                entry.result = Outcome::Declined;
                entry.response_code = Some(code);
                entry.reason = reason;
            }
            Verdict::Pend(pending, instalment) => {
                entry.result = Outcome::Pending;
                entry.pending = Some(pending);
                entry.details = instalment.map(Details::Instalment);
            }
        }
        Ok(self.conclude(entry))
    }

    fn verdict(&self, ask: &Approve, act: Act, instrument: Option<&Instrument>, now: Timestamp) -> Verdict {
        if act == Act::Nothing {
            return Verdict::Nothing;
        }
        let Some(instrument) = instrument else { return Verdict::Decline(Code::INVALID_NUMBER, None) };
        let more = match act {
            Act::Decline(code, reason) => return Verdict::Decline(code, reason),
            Act::ApproveUpTo(n) if instrument.charged >= n => return Verdict::Decline(Code::INSUFFICIENT_FUNDS, None),
            Act::ChargeMore(more) => more,
            Act::Normally
            | Act::ApproveUpTo(_)
            | Act::Pend(_)
            | Act::FailLater(_)
            | Act::ChargeAndCapture
            | Act::Refuse
            | Act::NotFound
            | Act::Nothing => 0,
        };
        let charged = Amount::try_from(ask.amount.get() + more).unwrap_or(ask.amount);
        let terms = match &instrument.known {
            Known::Card(card) => Instalment::of(ask.installment_months, ask.interest_payer, ask.amount, card),
            Known::Holder(_) => Ok(None),
        };
        match (terms, self.room(instrument, charged.get(), now), act) {
            (Err((code, reason)), ..) => Verdict::Decline(code, Some(reason)),
            // What is pending needs its room when it is settled.
            (Ok(instalment), _, Act::Pend(pending)) => Verdict::Pend(pending, instalment),
            (Ok(_), Err((code, reason)), _) => Verdict::Decline(code, Some(reason)),
            (Ok(instalment), Ok(()), act) => {
                let captured = act == Act::ChargeAndCapture && instrument.method.captures();
                Verdict::Charge { charged, instalment, captured }
            }
        }
    }

    /// Whether so much more may be used of an account, phone or membership now.
    pub(super) fn room(&self, instrument: &Instrument, more: i64, now: Timestamp) -> Result<(), (Code, Reason)> {
        match instrument.known.holder() {
            Some(holder) => self.usage.room(instrument.method, holder, more, now),
            None => Ok(()),
        }
    }

    /// Charges, and writes down a capture that nobody asked for.
    fn captured_at_once(&mut self, charge: Entry) -> Done {
        let mut done = self.conclude(charge.clone());
        let capture = Entry {
            seq: self.seq + 1,
            request: Call::Capture,
            reference: None,
            original_reference: charge.reference.clone(),
            effect: Effect::Captured,
            details: None,
            ..charge
        };
        self.apply(&capture);
        done.entries.push(capture);
        done
    }
}

enum Verdict {
    Nothing,
    Charge { charged: Amount, instalment: Option<Instalment>, captured: bool },
    Decline(Code, Option<Reason>),
    Pend(Pending, Option<Instalment>),
}

fn is_same(known: &Transaction, method: Method, ask: &Approve) -> bool {
    known.call == Call::Approve
        && known.method == method
        && known.amount == ask.amount
        && known.currency == ask.currency
        && known.merchant_id.as_ref() == Some(&ask.merchant_id)
}
