//! What can be wrong with a card, an account, a phone or a member: one list for every method of payment.
//!
//! Cards have numbers of their own (`cards.rs`). An account, a phone or a member ends with the fault's four digits behind
//! a prefix, and a virtual account's customer bears the fault's name (`specimens.rs`).

use std::time::Duration;

use super::{Deliver, Plan, Wait};
use crate::company::{Act, Call, Code, Method, Pending};

/// A fault.
#[derive(Debug)]
pub struct Fault {
    /// The four digits that numbers of accounts, phones and members end with.
    pub digits: &'static str,
    /// Its name, in the journal and in the README.
    pub name: &'static str,
    does: Does,
}

/// What a fault does. The main call is the approval, or what stands in its place: the issue of a virtual account, or a
/// pay-out. What is `Once` befalls the first main call of a token (account, order); afterwards all is well.
#[derive(Clone, Copy, Debug)]
enum Does {
    Approve,
    /// Declines main calls.
    Decline(&'static [u8; 2]),
    /// Declines registration.
    RefuseToken(&'static [u8; 2]),
    /// Main calls fail so often with nothing done.
    Fails {
        times: u32,
        deliver: Deliver,
    },
    /// Registration fails with nothing done.
    TokenFails(Deliver),
    /// The first main call takes effect, and its answer suffers.
    Once(Deliver),
    /// Main calls are answered late.
    Slow {
        ms: u64,
    },
    /// Main calls and inquiries lie in the same way; net-cancels fail so often, or are refused.
    Lies {
        deliver: Deliver,
        net_cancels: NetCancels,
    },
    /// Main calls stay open for one inquiry and then end with this code.
    Pending(&'static [u8; 2]),
    /// The first main call takes effect and drops the connection; inquiries see it only after a while.
    Lags {
        ms: u64,
    },
    /// Approves so often, then declines.
    ApproveUpTo(u32),
    /// Charges more than asked.
    ChargesMore(i64),
    /// Charges, and captures by itself.
    CapturesAtOnce,
    /// Declines captures.
    DeclinesCaptures,
    /// Money is given back in another way than asked.
    GivesBack(Back),
    /// There is so much, and no more.
    Balance(i64),
    /// So much a day (accounts) or a month (phones), and no more.
    Limit(i64),
}

#[derive(Clone, Copy, Debug)]
enum NetCancels {
    Work,
    AreRefused,
    /// The first one never reaches the books, nor gets an answer.
    AreLostOnce,
}

#[derive(Clone, Copy, Debug)]
enum Back {
    /// Not at all.
    Declined,
    /// After one inquiry.
    Pending,
    /// It seems so for one inquiry, and then it didn't.
    FailsLater,
    /// The first time, and the connection is reset.
    AnswerLost,
}

const ALWAYS: u32 = u32::MAX;

/// Every fault. The first one is none.
pub const TABLE: &[Fault] = &[
    fault("0000", "approve", Does::Approve),
    fault("0505", "decline_05", Does::Decline(b"05")),
    fault("0514", "decline_14", Does::Decline(b"14")),
    fault("0541", "decline_41", Does::Decline(b"41")),
    fault("0543", "decline_43", Does::Decline(b"43")),
    fault("0551", "decline_51", Does::Decline(b"51")),
    fault("0554", "decline_54", Does::Decline(b"54")),
    fault("0555", "decline_55", Does::Decline(b"55")),
    fault("0557", "decline_57", Does::Decline(b"57")),
    fault("0559", "decline_59", Does::Decline(b"59")),
    fault("0561", "decline_61", Does::Decline(b"61")),
    fault("0563", "decline_63", Does::Decline(b"63")),
    fault("0565", "decline_65", Does::Decline(b"65")),
    fault("0582", "decline_82", Does::Decline(b"82")),
    fault("0590", "decline_90", Does::Decline(b"90")),
    fault("0591", "decline_91", Does::Decline(b"91")),
    fault("0596", "decline_96", Does::Decline(b"96")),
    fault("0614", "refuse_token_14", Does::RefuseToken(b"14")),
    fault("0641", "refuse_token_41", Does::RefuseToken(b"41")),
    fault("0643", "refuse_token_43", Does::RefuseToken(b"43")),
    fault("0654", "refuse_token_54", Does::RefuseToken(b"54")),
    fault("0655", "refuse_token_55", Does::RefuseToken(b"55")),
    fault("0657", "refuse_token_57", Does::RefuseToken(b"57")),
    fault("0662", "wrong_holder", Does::RefuseToken(b"N1")),
    fault("0663", "refuse_token_63", Does::RefuseToken(b"63")),
    fault("0682", "refuse_token_82", Does::RefuseToken(b"82")),
    fault("0691", "refuse_token_91", Does::RefuseToken(b"91")),
    fault("0696", "refuse_token_96", Does::RefuseToken(b"96")),
    fault("0701", "token_error", Does::TokenFails(Deliver::Status(500, Code::MALFUNCTION))),
    fault("0702", "token_timeout", Does::TokenFails(Deliver::Never)),
    fault("0703", "token_busy", Does::TokenFails(Deliver::BUSY)),
    fault("0001", "error_twice", fails(2, Deliver::Status(500, Code::MALFUNCTION))),
    fault("0002", "error_always", fails(ALWAYS, Deliver::Status(500, Code::MALFUNCTION))),
    fault("0003", "busy_twice", fails(2, Deliver::BUSY)),
    fault("0025", "busy_always", fails(ALWAYS, Deliver::BUSY)),
    fault("0004", "timeout_before", fails(1, Deliver::Never)),
    fault("0020", "timeout_always", fails(ALWAYS, Deliver::Never)),
    fault("0005", "timeout_after", Does::Once(Deliver::Never)),
    fault("0006", "drop_before", fails(1, Deliver::Cut)),
    fault("0007", "drop_after", Does::Once(Deliver::Cut)),
    fault("0024", "error_after", Does::Once(Deliver::Status(500, Code::MALFUNCTION))),
    fault("0008", "slow", Does::Slow { ms: 3_000 }),
    fault("0009", "malformed", Does::Once(Deliver::Malformed)),
    fault("0010", "truncated", Does::Once(Deliver::Truncated)),
    fault("0011", "huge", Does::Once(Deliver::Huge)),
    fault("0012", "wrong_amount", lies(Deliver::OtherAmount(10), NetCancels::Work)),
    fault("0013", "wrong_currency", lies(Deliver::OtherCurrency, NetCancels::Work)),
    fault("0023", "charges_more", Does::ChargesMore(10)),
    fault("0014", "pending_approved", Does::Pending(b"00")),
    fault("0015", "pending_declined", Does::Pending(b"51")),
    fault("0016", "inquiry_lag", Does::Lags { ms: 3_000 }),
    fault("0017", "approve_twice", Does::ApproveUpTo(2)),
    fault("0018", "net_cancel_refused", lies(Deliver::OtherAmount(10), NetCancels::AreRefused)),
    fault("0019", "net_cancel_lost", lies(Deliver::OtherAmount(10), NetCancels::AreLostOnce)),
    fault("0026", "refund_declined", Does::GivesBack(Back::Declined)),
    fault("0027", "refund_pending", Does::GivesBack(Back::Pending)),
    fault("0028", "refund_fails_later", Does::GivesBack(Back::FailsLater)),
    fault("0029", "refund_answer_lost", Does::GivesBack(Back::AnswerLost)),
    fault("0030", "capture_declined", Does::DeclinesCaptures),
    fault("0031", "captured_at_once", Does::CapturesAtOnce),
    fault("0800", "balance_0", Does::Balance(0)),
    fault("0801", "balance_30000", Does::Balance(30_000)),
    fault("0802", "limit_100000", Does::Limit(100_000)),
];

const fn fault(digits: &'static str, name: &'static str, does: Does) -> Fault {
    Fault { digits, name, does }
}

const fn fails(times: u32, deliver: Deliver) -> Does {
    Does::Fails { times, deliver }
}

const fn lies(deliver: Deliver, net_cancels: NetCancels) -> Does {
    Does::Lies { deliver, net_cancels }
}

/// No fault.
pub const NONE: &Fault = &TABLE[0];

/// The fault of this name.
pub fn by_name(name: &str) -> &'static Fault {
    TABLE.iter().find(|fault| fault.name == name).unwrap_or(NONE)
}

impl Fault {
    /// What it makes of the `nth` (from 1) main call, or of the `nth` inquiry, net-cancel, cancel or refund of one charge.
    pub fn plan(&self, method: Method, call: Call, nth: u32) -> Plan {
        match self.misbehave(method, call, nth) {
            Some(plan) => plan.named(self.name),
            None => Plan::plain(),
        }
    }

    /// How much there is in all, if that is bounded.
    pub fn balance(&self) -> Option<i64> {
        if let Does::Balance(balance) = self.does { Some(balance) } else { None }
    }

    /// How much may be used in a day or month, if that is bounded.
    pub fn limit(&self) -> Option<i64> {
        if let Does::Limit(limit) = self.does { Some(limit) } else { None }
    }

    fn misbehave(&self, method: Method, call: Call, nth: u32) -> Option<Plan> {
        match call {
            Call::Verify | Call::Register => self.at_registration(call),
            Call::Approve | Call::Issue => self.at_main_call(nth),
            // An account that would be refused at registration can't be paid to either.
            Call::PayOut => {
                let refused = || self.at_registration(Call::Verify);
                self.at_giving_back(method, call, nth).or_else(refused).or_else(|| self.at_main_call(nth))
            }
            Call::Inquire => {
                if let Does::Lies { deliver, .. } = self.does {
                    Some(Plan::delivering(deliver))
                } else {
                    None
                }
            }
            Call::NetCancel => self.at_net_cancel(nth),
            Call::Capture => matches!(self.does, Does::DeclinesCaptures)
                .then(|| Plan::acting(Act::Decline(Code::DO_NOT_HONOR, None))),
            Call::Cancel | Call::Refund => self.at_giving_back(method, call, nth),
            Call::Close | Call::Balance | Call::Deposit | Call::TakeBack | Call::Notify => None,
        }
    }

    fn at_registration(&self, call: Call) -> Option<Plan> {
        match (self.does, call) {
            (Does::RefuseToken(code), _) => Some(Plan::acting(Act::Decline(Code::of(code), None))),
            (Does::TokenFails(deliver), Call::Register) => Some(Plan::nothing(deliver)),
            _ => None,
        }
    }

    fn at_main_call(&self, nth: u32) -> Option<Plan> {
        match (self.does, nth) {
            (Does::Decline(code), _) => Some(Plan::acting(Act::Decline(Code::of(code), None))),
            (Does::Fails { times, deliver }, _) if nth <= times => Some(Plan::nothing(deliver)),
            (Does::Once(deliver), 1) => Some(Plan::delivering(deliver)),
            (Does::Slow { ms }, _) => {
                Some(Plan { before: vec![Wait::For(Duration::from_millis(ms))], ..Plan::plain() })
            }
            (Does::Lies { deliver, .. }, _) => Some(Plan::delivering(deliver)),
            (Does::Pending(code), _) => Some(Plan::acting(Act::Pend(Pending { inquiries: 1, code: Code::of(code) }))),
            (Does::Lags { ms }, 1) => Some(Plan { lag_ms: ms, ..Plan::delivering(Deliver::Cut) }),
            (Does::ApproveUpTo(n), _) => Some(Plan::acting(Act::ApproveUpTo(n))),
            (Does::ChargesMore(more), _) => Some(Plan::acting(Act::ChargeMore(more))),
            (Does::CapturesAtOnce, _) => Some(Plan::acting(Act::ChargeAndCapture)),
            // All is well in everything else.
            _ => None,
        }
    }

    fn at_net_cancel(&self, nth: u32) -> Option<Plan> {
        let Does::Lies { net_cancels, .. } = self.does else { return None };
        match net_cancels {
            NetCancels::AreRefused => Some(Plan::acting(Act::Refuse)),
            NetCancels::AreLostOnce if nth == 1 => Some(Plan::nothing(Deliver::Never)),
            NetCancels::AreLostOnce | NetCancels::Work => None,
        }
    }

    fn at_giving_back(&self, method: Method, call: Call, nth: u32) -> Option<Plan> {
        let Does::GivesBack(back) = self.does else { return None };
        // A card's charge that was not captured is simply let go; whoever moved money at once has to move it back.
        let moves = matches!(call, Call::Refund | Call::PayOut) || method != Method::Card;
        match back {
            Back::Declined if moves => Some(Plan::acting(Act::Decline(Code::DO_NOT_HONOR, None))),
            Back::Pending if moves => Some(Plan::acting(Act::Pend(Pending { inquiries: 1, code: Code::APPROVED }))),
            Back::FailsLater if moves => {
                Some(Plan::acting(Act::FailLater(Pending { inquiries: 1, code: Code::DO_NOT_HONOR })))
            }
            Back::AnswerLost if nth == 1 => Some(Plan::delivering(Deliver::Cut)),
            Back::Declined | Back::Pending | Back::FailsLater | Back::AnswerLost => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn digits_and_names_are_unique() {
        for (nth, fault) in TABLE.iter().enumerate() {
            assert!(fault.digits.len() == 4 && fault.digits.bytes().all(|b| b.is_ascii_digit()), "{}", fault.name);
            assert!(TABLE[..nth].iter().all(|f| f.digits != fault.digits && f.name != fault.name), "{}", fault.name);
        }
    }

    #[test]
    fn the_readme_shows_every_fault_with_its_digits() {
        let readme = include_str!("../../README.md").replace('\u{a0}', " ");
        for fault in TABLE {
            let shown = format!("| `{}` | `{}` |", fault.digits, fault.name);
            assert!(readme.contains(&shown), "simulator/README.md lacks a row that begins {shown}");
        }
    }
}
