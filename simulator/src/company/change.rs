//! What may happen to an approved charge: capture, cancel (before capture), refund (after it).

use super::{Act, ApprovalNumber, Around, Call, Change, Code, Company, Done, Effect, Misuse, Mode, Outcome};
use super::{Reason, Standing, Transaction};

impl Company {
    pub(super) fn change(&mut self, call: Call, ask: &Change, act: Act, around: Around) -> Result<Done, Misuse> {
        if self.transactions.get(&ask.reference).is_some_and(|known| !is_same(known, call, ask)) {
            return Err(Misuse::ReferenceReused);
        }
        let mode = around.mode;
        let mut entry = self.draft(call, around);
        entry.reference = Some(ask.reference.clone());
        entry.original_reference = Some(ask.original_reference.clone());
        entry.merchant_id = Some(ask.merchant_id.clone());
        entry.order_id = Some(ask.order_id.clone());
        entry.amount = Some(ask.amount);
        entry.currency = Some(ask.currency);
        if act == Act::Nothing {
            return Ok(self.conclude(entry));
        }
        if mode == Mode::D
            && let Some(done) = self.again(&entry)
        {
            return Ok(done);
        }

        let original = self.transactions.get(&ask.original_reference).filter(|o| is_original(o, ask));
        entry.token = original.and_then(|o| o.token.clone());
        let verdict = match (act, original.and_then(Transaction::charge)) {
            (Act::Decline(code), _) => Err((code, None)),
            (_, None) => Err((Code::DO_NOT_HONOR, Some(Reason::NoOriginal))),
            (_, Some(charge)) => charge.can(call, ask.amount).map_err(|reason| (code_of(reason), Some(reason))),
        };
        match verdict {
            Ok(()) => {
                entry.effect = effect_of(call);
                entry.result = Outcome::Approved;
                entry.response_code = Some(Code::APPROVED);
                entry.approval_number = Some(ApprovalNumber::of_line(entry.seq));
            }
            Err((code, reason)) => {
                entry.result = Outcome::Declined;
                entry.response_code = Some(code);
                entry.reason = reason;
            }
        }
        Ok(self.conclude(entry))
    }
}

fn effect_of(call: Call) -> Effect {
    match call {
        Call::Capture => Effect::Captured,
        Call::Cancel => Effect::Voided,
        Call::Refund => Effect::Refunded,
        Call::Register | Call::Approve | Call::NetCancel | Call::Inquire => Effect::None,
    }
}

fn code_of(reason: Reason) -> Code {
    match reason {
        Reason::AlreadyCaptured | Reason::AlreadyCancelled | Reason::NotCaptured => Code::NOT_PERMITTED,
        Reason::InsufficientBalance => Code::OVER_LIMIT,
        Reason::NoOriginal => Code::DO_NOT_HONOR,
    }
}

fn is_original(known: &Transaction, ask: &Change) -> bool {
    known.call == Call::Approve
        && matches!(known.standing, Standing::Approved(_))
        && known.currency == ask.currency
        && known.merchant_id.as_ref() == Some(&ask.merchant_id)
        && known.order_id.as_ref() == Some(&ask.order_id)
}

fn is_same(known: &Transaction, call: Call, ask: &Change) -> bool {
    known.call == call
        && known.original.as_ref() == Some(&ask.original_reference)
        && known.amount == ask.amount
        && known.currency == ask.currency
        && known.merchant_id.as_ref() == Some(&ask.merchant_id)
}
