//! What each test card does. The README shows this table; a test compares them.

use std::time::Duration;

use super::{Deliver, Plan, Wait};
use crate::company::{Act, Call, Code, Pending};

/// A test card.
#[derive(Debug)]
pub struct TestCard {
    /// The number. Nothing but this table knows it.
    pub number: &'static str,
    /// The behaviour's name, in the journal and in the README.
    pub name: &'static str,
    does: Does,
}

/// What a card does. Faults that are `Once` befall the first approval asked of a token; afterwards the card is fine.
#[derive(Clone, Copy, Debug)]
enum Does {
    Approve,
    /// Declines approvals.
    Decline(&'static [u8; 2]),
    /// Declines registration.
    RefuseToken(&'static [u8; 2]),
    /// Approvals fail so often with nothing done.
    Fails {
        times: u32,
        deliver: Deliver,
    },
    /// Registration fails with nothing done.
    TokenFails(Deliver),
    /// The first approval charges, and its answer suffers.
    Once(Deliver),
    /// Approvals are answered late.
    Slow {
        ms: u64,
    },
    /// Approvals and inquiries lie in the same way; net-cancels fail so often, or are refused.
    Lies {
        deliver: Deliver,
        net_cancels: NetCancels,
    },
    /// Approvals stay open for one inquiry and then end with this code.
    Pending(&'static [u8; 2]),
    /// The first approval charges and drops the connection; inquiries see it only after a while.
    Lags {
        ms: u64,
    },
    /// Approves so often, then declines.
    ApproveUpTo(u32),
    /// Charges more than asked.
    ChargesMore(i64),
    /// Declines refunds.
    DeclinesRefunds,
}

#[derive(Clone, Copy, Debug)]
enum NetCancels {
    Work,
    AreRefused,
    /// The first one never reaches the books, nor gets an answer.
    AreLostOnce,
}

const ALWAYS: u32 = u32::MAX;

/// Every test card. The first one is what all other valid numbers do, too.
pub const TABLE: &[TestCard] = &[
    card("4242424242424242", "approve", Does::Approve),
    card("4000000000000002", "decline_05", Does::Decline(b"05")),
    card("4000000500140001", "decline_14", Does::Decline(b"14")),
    card("4000000000009987", "decline_41", Does::Decline(b"41")),
    card("4000000000009979", "decline_43", Does::Decline(b"43")),
    card("4000000000009995", "decline_51", Does::Decline(b"51")),
    card("4000000000000069", "decline_54", Does::Decline(b"54")),
    card("4000000000000101", "decline_55", Does::Decline(b"55")),
    card("4000000500570009", "decline_57", Does::Decline(b"57")),
    card("4100000000000019", "decline_59", Does::Decline(b"59")),
    card("4000000500610003", "decline_61", Does::Decline(b"61")),
    card("4000000000000036", "decline_63", Does::Decline(b"63")),
    card("4000000000006975", "decline_65", Does::Decline(b"65")),
    card("4000000000000127", "decline_82", Does::Decline(b"82")),
    card("4000000500910007", "decline_91", Does::Decline(b"91")),
    card("4000000000000119", "decline_96", Does::Decline(b"96")),
    card("4000000600140000", "refuse_token_14", Does::RefuseToken(b"14")),
    card("4000000600410007", "refuse_token_41", Does::RefuseToken(b"41")),
    card("4000000600430005", "refuse_token_43", Does::RefuseToken(b"43")),
    card("4000000600540001", "refuse_token_54", Does::RefuseToken(b"54")),
    card("4000000600550000", "refuse_token_55", Does::RefuseToken(b"55")),
    card("4000000600570008", "refuse_token_57", Does::RefuseToken(b"57")),
    card("4000000600630000", "refuse_token_63", Does::RefuseToken(b"63")),
    card("4000000600820007", "refuse_token_82", Does::RefuseToken(b"82")),
    card("4000000600910006", "refuse_token_91", Does::RefuseToken(b"91")),
    card("4000000600960001", "refuse_token_96", Does::RefuseToken(b"96")),
    card("4000000601010004", "token_error", Does::TokenFails(Deliver::Status(500, Code::MALFUNCTION))),
    card("4000000601020003", "token_timeout", Does::TokenFails(Deliver::Never)),
    card("4000000601030002", "token_busy", Does::TokenFails(Deliver::BUSY)),
    card("4000000900010002", "error_twice", fails(2, Deliver::Status(500, Code::MALFUNCTION))),
    card("4000000900020001", "error_always", fails(ALWAYS, Deliver::Status(500, Code::MALFUNCTION))),
    card("4000000900030000", "busy_twice", fails(2, Deliver::BUSY)),
    card("4000000900250004", "busy_always", fails(ALWAYS, Deliver::BUSY)),
    card("4000000900040009", "timeout_before", fails(1, Deliver::Never)),
    card("4000000900200009", "timeout_always", fails(ALWAYS, Deliver::Never)),
    card("4000000900050008", "timeout_after", Does::Once(Deliver::Never)),
    card("4000000900060007", "drop_before", fails(1, Deliver::Cut)),
    card("4000000900070006", "drop_after", Does::Once(Deliver::Cut)),
    card("4000000900240005", "error_after", Does::Once(Deliver::Status(500, Code::MALFUNCTION))),
    card("4000000900080005", "slow", Does::Slow { ms: 3_000 }),
    card("4000000900090004", "malformed", Does::Once(Deliver::Malformed)),
    card("4000000900100001", "truncated", Does::Once(Deliver::Truncated)),
    card("4000000900110000", "huge", Does::Once(Deliver::Huge)),
    card("4000000900120009", "wrong_amount", lies(Deliver::OtherAmount(10), NetCancels::Work)),
    card("4000000900130008", "wrong_currency", lies(Deliver::OtherCurrency, NetCancels::Work)),
    card("4000000900230006", "charges_more", Does::ChargesMore(10)),
    card("4000000900140007", "pending_approved", Does::Pending(b"00")),
    card("4000000900150006", "pending_declined", Does::Pending(b"51")),
    card("4000000900160005", "inquiry_lag", Does::Lags { ms: 3_000 }),
    card("4000000900170004", "approve_twice", Does::ApproveUpTo(2)),
    card("4000000900180003", "net_cancel_refused", lies(Deliver::OtherAmount(10), NetCancels::AreRefused)),
    card("4000000900190002", "net_cancel_lost", lies(Deliver::OtherAmount(10), NetCancels::AreLostOnce)),
    card("4000000000005126", "refund_declined", Does::DeclinesRefunds),
];

const fn card(number: &'static str, name: &'static str, does: Does) -> TestCard {
    TestCard { number, name, does }
}

const fn fails(times: u32, deliver: Deliver) -> Does {
    Does::Fails { times, deliver }
}

const fn lies(deliver: Deliver, net_cancels: NetCancels) -> Does {
    Does::Lies { deliver, net_cancels }
}

/// The behaviour of a card number. The number goes no further than this.
pub fn of_number(number: &str) -> &'static TestCard {
    TABLE.iter().find(|card| card.number == number).unwrap_or(&TABLE[0])
}

/// The behaviour of a registered card.
pub fn by_name(name: &str) -> &'static TestCard {
    TABLE.iter().find(|card| card.name == name).unwrap_or(&TABLE[0])
}

impl TestCard {
    /// What this card makes of its `nth` (from 1) approval, or of the `nth` inquiry or net-cancel of one charge.
    pub fn plan(&self, call: Call, nth: u32) -> Plan {
        match self.misbehave(call, nth) {
            Some(plan) => plan.named(self.name),
            None => Plan::plain(),
        }
    }

    fn misbehave(&self, call: Call, nth: u32) -> Option<Plan> {
        let first = nth == 1;
        match (self.does, call) {
            (Does::RefuseToken(code), Call::Register) => Some(Plan::acting(Act::Decline(Code::of(code)))),
            (Does::TokenFails(deliver), Call::Register) => Some(Plan::nothing(deliver)),
            (Does::Decline(code), Call::Approve) => Some(Plan::acting(Act::Decline(Code::of(code)))),
            (Does::Fails { times, deliver }, Call::Approve) if nth <= times => Some(Plan::nothing(deliver)),
            (Does::Once(deliver), Call::Approve) if first => Some(Plan::delivering(deliver)),
            (Does::Slow { ms }, Call::Approve) => {
                Some(Plan { before: vec![Wait::For(Duration::from_millis(ms))], ..Plan::plain() })
            }
            (Does::Lies { deliver, .. }, Call::Approve | Call::Inquire) => Some(Plan::delivering(deliver)),
            (Does::Lies { net_cancels, .. }, Call::NetCancel) => match net_cancels {
                NetCancels::AreRefused => Some(Plan::acting(Act::Refuse)),
                NetCancels::AreLostOnce if first => Some(Plan::nothing(Deliver::Never)),
                NetCancels::AreLostOnce | NetCancels::Work => None,
            },
            (Does::Pending(code), Call::Approve) => {
                Some(Plan::acting(Act::Pend(Pending { inquiries: 1, code: Code::of(code) })))
            }
            (Does::Lags { ms }, Call::Approve) if first => Some(Plan { lag_ms: ms, ..Plan::delivering(Deliver::Cut) }),
            (Does::ApproveUpTo(n), Call::Approve) => Some(Plan::acting(Act::ApproveUpTo(n))),
            (Does::ChargesMore(more), Call::Approve) => Some(Plan::acting(Act::ChargeMore(more))),
            (Does::DeclinesRefunds, Call::Refund) => Some(Plan::acting(Act::Decline(Code::DO_NOT_HONOR))),
            // Every card is an ordinary card in everything else.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TABLE;
    use crate::company::is_card_number;

    #[test]
    fn numbers_are_valid_and_numbers_and_names_are_unique() {
        for (nth, card) in TABLE.iter().enumerate() {
            assert!(is_card_number(card.number), "{}", card.name);
            assert!(TABLE[..nth].iter().all(|c| c.number != card.number && c.name != card.name), "{}", card.name);
        }
    }

    #[test]
    fn the_readme_shows_every_card() {
        let readme = include_str!("../../README.md").replace('\u{a0}', " ");
        for card in TABLE {
            let shown = format!("| `{}` | `{}` |", card.number, card.name);
            assert!(readme.contains(&shown), "simulator/README.md lacks a row that begins {shown}");
        }
    }
}
