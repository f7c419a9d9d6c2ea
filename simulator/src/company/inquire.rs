//! What became of a reference?

use super::change::effect_of;
use super::{
    Act, Amount, Answer, ApprovalNumber, Around, Call, Code, Company, Details, Done, Effect, Entry, Id, Method,
};
use super::{Outcome, Pending, Standing, Transaction};

impl Company {
    pub(super) fn inquire(&mut self, method: Method, reference: &Id, act: Act, around: Around) -> Done {
        let now = around.now;
        let mut entry = self.draft(method, Call::Inquire, around);
        entry.lag_ms = 0;
        entry.reference = Some(reference.clone());
        entry.result = if act == Act::Nothing { Outcome::Nothing } else { Outcome::NotFound };
        let about = self.transactions.get(reference).filter(|about| about.method == method);
        let Some(about) = about else { return self.conclude(entry) };
        entry.merchant_id.clone_from(&about.merchant_id);
        entry.order_id.clone_from(&about.order_id);
        entry.token.clone_from(&about.token);
        entry.original_reference.clone_from(&about.original);
        if matches!(act, Act::Nothing | Act::NotFound) || now < about.visible_at {
            return self.conclude(entry);
        }
        entry.amount = Amount::try_from(about.amount_said()).ok();
        entry.currency = Some(about.currency);
        entry.approval_number = about.approval_number();
        let kind = about.call;
        match about.standing {
            Standing::Untouched => return self.conclude(entry),
            Standing::Pending(pending) if about.inquiries <= pending.inquiries => entry.result = Outcome::Pending,
            Standing::Pending(pending) => self.settle(&mut entry, about, pending),
            Standing::Declined(code, reason) => {
                entry.result = Outcome::Declined;
                entry.response_code = Some(code);
                entry.reason = reason;
            }
            Standing::Approved(_) if self.fails_now(about) => {
                entry.effect = Effect::Restored;
                entry.result = Outcome::Declined;
                entry.response_code = about.turns.map(|turns| turns.code);
            }
            Standing::Approved(_) => {
                entry.result = Outcome::Approved;
                entry.response_code = Some(Code::APPROVED);
            }
            Standing::Reversed => entry.result = Outcome::Reversed,
        }
        self.apply(&entry);
        let about = self.transactions.get(reference);
        let mut decision = self.decision(&entry, about.map_or(entry.at, |about| about.at));
        decision.kind = Some(kind);
        if let Some(about) = about.filter(|about| about.call == Call::Approve && !about.charges.is_empty()) {
            let sums = about.totals();
            decision.captured = Some(sums.captured > 0);
            decision.remaining_amount = Some(sums.standing());
        }
        Done { answer: Answer::Decision(Box::new(decision)), entries: vec![entry] }
    }

    /// What was pending ends now.
    fn settle(&self, entry: &mut Entry, about: &Transaction, pending: Pending) {
        entry.response_code = Some(pending.code);
        let instrument = about.token.as_ref().and_then(|token| self.instruments.get(token));
        let room = match (about.call, instrument) {
            (Call::Approve, Some(instrument)) => self.room(instrument, about.amount.get(), entry.at),
            _ => Ok(()),
        };
        match room {
            _ if pending.code != Code::APPROVED => entry.result = Outcome::Declined,
            // What there was room for when it was asked was used for something else meanwhile.
            Err((code, reason)) => {
                entry.result = Outcome::Declined;
                entry.response_code = Some(code);
                entry.reason = Some(reason);
            }
            Ok(()) => {
                entry.effect = effect_of(about.call);
                entry.result = Outcome::Approved;
                entry.approval_number = Some(ApprovalNumber::of_line(entry.seq));
            }
        }
        entry.details = about.details.clone().filter(|details| matches!(details, Details::PayOut(_)));
    }

    /// Whether what was answered with a yes turns out to have failed now. It does not when the charge was undone meanwhile,
    /// or when the payer has used what he got back.
    fn fails_now(&self, about: &Transaction) -> bool {
        let Some(turns) = about.turns.filter(|turns| about.inquiries > turns.inquiries) else { return false };
        let original = about.original.as_ref().and_then(|original| self.transactions.get(original));
        let Some(original) = original.filter(|original| matches!(original.standing, Standing::Approved(_))) else {
            return false;
        };
        let instrument = original.token.as_ref().and_then(|token| self.instruments.get(token));
        let has_room = instrument.is_none_or(|i| self.room(i, about.amount.get(), about.at).is_ok());
        turns.code != Code::APPROVED && has_room
    }

    /// An inquiry changes nothing, save that it settles what is pending, or what was to fail later.
    pub(super) fn apply_inquiry(&mut self, entry: &Entry) {
        let about = entry.reference.as_ref().and_then(|reference| self.transactions.get_mut(reference));
        let Some(about) = about else { return };
        let was_pending = matches!(about.standing, Standing::Pending(_))
            && matches!(entry.result, Outcome::Approved | Outcome::Declined);
        if !was_pending && entry.effect != Effect::Restored {
            return;
        }
        about.took(entry);
        match (about.call, about.details.clone()) {
            (Call::PayOut, Some(Details::PayOut(line))) => self.virtual_account_suffered(entry, &line, was_pending),
            (Call::Cancel | Call::Refund, _) => self.apply_to_original(entry, was_pending),
            _ => {}
        }
    }
}
