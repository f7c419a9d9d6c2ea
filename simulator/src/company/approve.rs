//! Charging a card.

use super::{Act, Amount, ApprovalNumber, Approve, Around, Call, Card, Code, Company, Done, Effect, Entry};
use super::{Misuse, Mode, Outcome, Transaction};

/// The gateway itself, by the name its contract has. A token that it registered under its own name is good for every merchant
/// whose payments it takes.
const PLATFORM: &str = "naru";

/// What a card that has had its share answers.
const NO_MORE: Code = Code::of(b"51");

impl Company {
    pub(super) fn approve(&mut self, ask: &Approve, act: Act, around: Around) -> Result<Done, Misuse> {
        if self.transactions.get(&ask.reference).is_some_and(|known| !is_same(known, ask)) {
            return Err(Misuse::ReferenceReused);
        }
        let mode = around.mode;
        let mut entry = self.draft(Call::Approve, around);
        let card = self.cards.get(&ask.token);
        entry.reference = Some(ask.reference.clone());
        entry.merchant_id = Some(ask.merchant_id.clone());
        entry.order_id = Some(ask.order_id.clone());
        // A token that isn't ours could be anything, a card number too: it is not written down.
        entry.token = card.map(|_| ask.token.clone());
        entry.amount = Some(ask.amount);
        entry.currency = Some(ask.currency);
        let valid = card.filter(|card| card.merchant_id == ask.merchant_id || card.merchant_id.as_str() == PLATFORM);
        let verdict = verdict(act, valid);

        if act != Act::Nothing
            && mode == Mode::D
            && let Some(done) = self.again(&entry)
        {
            return Ok(done);
        }
        match verdict {
            Verdict::Nothing => {}
            Verdict::Charge { more } => {
                let charged = Amount::try_from(ask.amount.get() + more).unwrap_or(ask.amount);
                entry.effect = Effect::Charged;
                entry.result = Outcome::Approved;
                entry.response_code = Some(Code::APPROVED);
                entry.approval_number = Some(ApprovalNumber::of_line(entry.seq));
                entry.asked = (charged != ask.amount).then_some(ask.amount);
                entry.amount = Some(charged);
            }
            Verdict::Decline(code) => decline(&mut entry, code),
            Verdict::Pend(pending) => {
                entry.result = Outcome::Pending;
                entry.pending = Some(pending);
            }
        }
        Ok(self.conclude(entry))
    }
}

enum Verdict {
    Nothing,
    Charge { more: i64 },
    Decline(Code),
    Pend(super::Pending),
}

fn verdict(act: Act, card: Option<&Card>) -> Verdict {
    let Some(card) = card else {
        return if act == Act::Nothing { Verdict::Nothing } else { Verdict::Decline(Code::INVALID_NUMBER) };
    };
    match act {
        Act::Nothing => Verdict::Nothing,
        Act::Decline(code) => Verdict::Decline(code),
        Act::ApproveUpTo(n) if card.charged >= n => Verdict::Decline(NO_MORE),
        Act::Pend(pending) => Verdict::Pend(pending),
        Act::ChargeMore(more) => Verdict::Charge { more },
        Act::Normally | Act::ApproveUpTo(_) | Act::Refuse | Act::NotFound => Verdict::Charge { more: 0 },
    }
}

fn decline(entry: &mut Entry, code: Code) {
    entry.result = Outcome::Declined;
    entry.response_code = Some(code);
}

fn is_same(known: &Transaction, ask: &Approve) -> bool {
    known.call == Call::Approve
        && known.amount == ask.amount
        && known.currency == ask.currency
        && known.merchant_id.as_ref() == Some(&ask.merchant_id)
}
