//! What became of a reference?

use super::{Act, Amount, Answer, ApprovalNumber, Around, Call, Code, Company, Decision, Done, Effect, Entry, Id};
use super::{Outcome, Standing};

impl Company {
    pub(super) fn inquire(&mut self, reference: &Id, act: Act, around: Around) -> Done {
        let now = around.now;
        let mut entry = self.draft(Call::Inquire, around);
        entry.lag_ms = 0;
        entry.reference = Some(reference.clone());
        entry.result = if act == Act::Nothing { Outcome::Nothing } else { Outcome::NotFound };
        let Some(about) = self.transactions.get(reference) else { return self.conclude(entry) };
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
            Standing::Pending(pending) => settle(&mut entry, pending.code),
            Standing::Declined(code, reason) => {
                entry.result = Outcome::Declined;
                entry.response_code = Some(code);
                entry.reason = reason;
            }
            Standing::Approved(_) => {
                entry.result = Outcome::Approved;
                entry.response_code = Some(Code::APPROVED);
            }
            Standing::Reversed => entry.result = Outcome::Reversed,
        }
        self.apply(&entry);
        let at = self.transactions.get(reference).map_or(entry.at, |about| about.at);
        let mut decision = Decision::of(&entry, at);
        decision.kind = Some(kind);
        Done { answer: Answer::Decision(Box::new(decision)), entries: vec![entry] }
    }

    /// An inquiry changes nothing, save that it settles a pending charge.
    pub(super) fn apply_inquiry(&mut self, entry: &Entry) {
        let about = entry.reference.as_ref().and_then(|reference| self.transactions.get_mut(reference));
        if let Some(about) = about
            && matches!(about.standing, Standing::Pending(_))
            && matches!(entry.result, Outcome::Approved | Outcome::Declined)
        {
            about.took(entry);
        }
    }
}

fn settle(entry: &mut Entry, code: Code) {
    entry.response_code = Some(code);
    if code == Code::APPROVED {
        entry.effect = Effect::Charged;
        entry.result = Outcome::Approved;
        entry.approval_number = Some(ApprovalNumber::of_line(entry.seq));
    } else {
        entry.result = Outcome::Declined;
    }
}
