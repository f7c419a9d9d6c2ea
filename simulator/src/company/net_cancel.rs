//! Net-cancel (망취소): undo whatever was charged under a reference whose answer never arrived.

use std::time::Duration;

use super::{Act, Amount, Around, Call, Charge, Company, Done, Effect, Entry, Method, Mode, NetCancel, Outcome};
use super::{Answer, Id, Reason, Standing, Timestamp, Transaction};

/// How long after the charge it can be undone.
const WINDOW: Duration = Duration::from_secs(60 * 60);

impl Company {
    pub(super) fn net_cancel(&mut self, method: Method, ask: &NetCancel, act: Act, around: Around) -> Done {
        let (now, mode) = (around.now, around.mode);
        let original = self.transactions.get(&ask.original_reference);
        let mut entry = self.draft(method, Call::NetCancel, around);
        entry.reference = Some(ask.reference.clone());
        entry.original_reference = Some(ask.original_reference.clone());
        entry.merchant_id = Some(ask.merchant_id.clone());
        entry.order_id = original.and_then(|o| o.order_id.clone());
        entry.token = original.and_then(|o| o.token.clone());
        entry.amount = Some(ask.amount);
        entry.currency = Some(ask.currency);

        let original = original.filter(|o| {
            o.method == method
                && o.currency == ask.currency
                && o.merchant_id.as_ref() == Some(&ask.merchant_id)
                && act != Act::NotFound
        });
        let verdict = match (act, original) {
            (Act::Nothing, _) => Verdict::of(Outcome::Nothing),
            (Act::Refuse, _) => Verdict::of(Outcome::Refused),
            (_, None) => Verdict::of(Outcome::NoOriginal),
            (_, Some(original)) => judge(original, &ask.reference, now, mode),
        };
        self.undo(entry, verdict)
    }

    /// Writes one entry per charge that is undone (mode N may have made several), at least one in all.
    fn undo(&mut self, mut entry: Entry, verdict: Verdict) -> Done {
        entry.result = verdict.outcome;
        entry.reason = verdict.reason;
        let Some((last, others)) = verdict.amounts.split_last() else { return self.conclude(entry) };
        let mut entries = Vec::with_capacity(verdict.amounts.len());
        for amount in others.iter().chain([last]) {
            entry.seq = self.seq + 1;
            entry.effect = Effect::Reversed;
            entry.amount = Some(*amount);
            self.apply(&entry);
            entries.push(entry.clone());
        }
        let mut decision = self.decision(&entry, entry.at);
        decision.amount = Some(verdict.amounts.iter().map(|a| a.get()).sum());
        Done { answer: Answer::Decision(Box::new(decision)), entries }
    }
}

struct Verdict {
    outcome: Outcome,
    reason: Option<Reason>,
    /// What to take back, the last charge first.
    amounts: Vec<Amount>,
}

impl Verdict {
    fn of(outcome: Outcome) -> Self {
        Self { outcome, reason: None, amounts: Vec::new() }
    }
}

fn judge(original: &Transaction, own_reference: &Id, now: Timestamp, mode: Mode) -> Verdict {
    if original.call != Call::Approve {
        return Verdict::of(Outcome::Refused);
    }
    match original.standing {
        Standing::Untouched | Standing::Declined(..) => Verdict::of(Outcome::NoOriginal),
        // Undecided and now never to be charged: undone without an effect.
        Standing::Pending(_) => Verdict::of(Outcome::Reversed),
        Standing::Reversed if mode == Mode::D && original.reversed_by.as_ref() == Some(own_reference) => {
            Verdict::of(Outcome::Reversed)
        }
        Standing::Reversed => Verdict::of(Outcome::AlreadyReversed),
        Standing::Approved(_) if original.charges.iter().any(|c| c.captured > 0) => {
            Verdict { reason: Some(Reason::AlreadyCaptured), ..Verdict::of(Outcome::Refused) }
        }
        // Of what is being given back nobody knows yet whether it stands.
        Standing::Approved(_) if original.charges.iter().any(|c| c.held > 0) => Verdict::of(Outcome::Refused),
        Standing::Approved(_) if now.since(original.at) > WINDOW => Verdict::of(Outcome::Refused),
        Standing::Approved(_) => {
            let held = original.charges.iter().rev().map(Charge::left);
            let amounts: Vec<Amount> = held.filter_map(|left| Amount::try_from(left).ok()).collect();
            let outcome = if amounts.is_empty() { Outcome::AlreadyReversed } else { Outcome::Reversed };
            Verdict { outcome, reason: None, amounts }
        }
    }
}
