//! What may happen to an approved charge: capture, cancel (before capture), refund (after it, or after money moved).

use super::{Act, ApprovalNumber, Around, Call, Change, Code, Company, Done, Effect, Method, Misuse, Mode, Outcome};
use super::{Reason, Standing, Transaction};

impl Company {
    pub(super) fn change(
        &mut self,
        method: Method,
        call: Call,
        ask: &Change,
        act: Act,
        around: Around,
    ) -> Result<Done, Misuse> {
        if self.transactions.get(&ask.reference).is_some_and(|known| !is_same(known, method, call, ask)) {
            return Err(Misuse::ReferenceReused);
        }
        let mode = around.mode;
        let mut entry = self.draft(method, call, around);
        entry.reference = Some(ask.reference.clone());
        entry.original_reference = Some(ask.original_reference.clone());
        entry.merchant_id = Some(ask.merchant_id.clone());
        entry.order_id = Some(ask.order_id.clone());
        entry.amount = Some(ask.amount);
        entry.currency = Some(ask.currency);
        if act == Act::Nothing {
            return Ok(self.conclude(entry));
        }
        if (mode == Mode::D || self.is_pending(&ask.reference))
            && let Some(done) = self.again(&entry)
        {
            return Ok(done);
        }

        let original = self.transactions.get(&ask.original_reference).filter(|o| is_original(o, method, ask));
        entry.token = original.and_then(|o| o.token.clone());
        let verdict = match (act, original.and_then(Transaction::charge)) {
            (Act::Decline(code, reason), _) => Err((code, reason)),
            (_, None) => Err((Code::DO_NOT_HONOR, Some(Reason::NoOriginal))),
            (_, Some(charge)) => {
                charge.can(call, ask.amount, method, entry.at).map_err(|reason| (code_of(reason), Some(reason)))
            }
        };
        // Letting go of what was never captured, and capturing, can't take long or fail later.
        let moves = call == Call::Refund || (call == Call::Cancel && !method.captures());
        match (verdict, act) {
            (Ok(()), Act::Pend(pending)) if moves => {
                entry.result = Outcome::Pending;
                entry.pending = Some(pending);
            }
            (Ok(()), act) => {
                if let (Act::FailLater(pending), true) = (act, moves) {
                    entry.pending = Some(pending);
                }
                entry.effect = effect_of(call);
                entry.result = Outcome::Approved;
                entry.response_code = Some(Code::APPROVED);
                entry.approval_number = Some(ApprovalNumber::of_line(entry.seq));
            }
            (Err((code, reason)), _) => {
                entry.result = Outcome::Declined;
                entry.response_code = Some(code);
                entry.reason = reason;
            }
        }
        Ok(self.conclude(entry))
    }
}

pub(super) fn effect_of(call: Call) -> Effect {
    match call {
        Call::Capture => Effect::Captured,
        Call::Cancel => Effect::Voided,
        Call::Refund => Effect::Refunded,
        Call::PayOut => Effect::PaidOut,
        Call::Approve => Effect::Charged,
        Call::Verify
        | Call::Register
        | Call::Balance
        | Call::NetCancel
        | Call::Inquire
        | Call::Issue
        | Call::Close
        | Call::Deposit
        | Call::TakeBack
        | Call::Notify => Effect::None,
    }
}

pub(super) fn code_of(reason: Reason) -> Code {
    match reason {
        Reason::AlreadyCaptured
        | Reason::AlreadyCancelled
        | Reason::NotCaptured
        | Reason::PartialNotAllowed
        | Reason::PastMonth
        | Reason::InstalmentNotAllowed
        | Reason::InstalmentBelowMinimum
        | Reason::NotEmpty
        | Reason::Closed
        | Reason::TooLate => Code::NOT_PERMITTED,
        Reason::InsufficientBalance | Reason::DailyLimit | Reason::MonthlyLimit => Code::OVER_LIMIT,
        Reason::InsufficientFunds => Code::INSUFFICIENT_FUNDS,
        Reason::NoOriginal | Reason::NoSuchDeposit => Code::DO_NOT_HONOR,
    }
}

fn is_original(known: &Transaction, method: Method, ask: &Change) -> bool {
    known.call == Call::Approve
        && known.method == method
        && matches!(known.standing, Standing::Approved(_))
        && known.currency == ask.currency
        && known.merchant_id.as_ref() == Some(&ask.merchant_id)
        && known.order_id.as_ref() == Some(&ask.order_id)
}

fn is_same(known: &Transaction, method: Method, call: Call, ask: &Change) -> bool {
    known.call == call
        && known.method == method
        && known.original.as_ref() == Some(&ask.original_reference)
        && known.amount == ask.amount
        && known.currency == ask.currency
        && known.merchant_id.as_ref() == Some(&ask.merchant_id)
}
