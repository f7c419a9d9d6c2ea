//! Which test card has which fault. The README shows this table; a test compares them.

use super::faults::{self, Fault};

/// A test card.
#[derive(Debug)]
pub struct TestCard {
    /// The number. Nothing but this table knows it.
    pub number: &'static str,
    /// The fault's name, in the journal and in the README.
    pub name: &'static str,
}

/// Every test card. The first one is what all other valid numbers do, too.
pub const TABLE: &[TestCard] = &[
    card("4242424242424242", "approve"),
    card("4000000000000002", "decline_05"),
    card("4000000500140001", "decline_14"),
    card("4000000000009987", "decline_41"),
    card("4000000000009979", "decline_43"),
    card("4000000000009995", "decline_51"),
    card("4000000000000069", "decline_54"),
    card("4000000000000101", "decline_55"),
    card("4000000500570009", "decline_57"),
    card("4100000000000019", "decline_59"),
    card("4000000500610003", "decline_61"),
    card("4000000000000036", "decline_63"),
    card("4000000000006975", "decline_65"),
    card("4000000000000127", "decline_82"),
    card("4000000500900008", "decline_90"),
    card("4000000500910007", "decline_91"),
    card("4000000000000119", "decline_96"),
    card("4000000600140000", "refuse_token_14"),
    card("4000000600410007", "refuse_token_41"),
    card("4000000600430005", "refuse_token_43"),
    card("4000000600540001", "refuse_token_54"),
    card("4000000600550000", "refuse_token_55"),
    card("4000000600570008", "refuse_token_57"),
    card("4000000600630000", "refuse_token_63"),
    card("4000000600820007", "refuse_token_82"),
    card("4000000600910006", "refuse_token_91"),
    card("4000000600960001", "refuse_token_96"),
    card("4000000601010004", "token_error"),
    card("4000000601020003", "token_timeout"),
    card("4000000601030002", "token_busy"),
    card("4000000900010002", "error_twice"),
    card("4000000900020001", "error_always"),
    card("4000000900030000", "busy_twice"),
    card("4000000900250004", "busy_always"),
    card("4000000900040009", "timeout_before"),
    card("4000000900200009", "timeout_always"),
    card("4000000900050008", "timeout_after"),
    card("4000000900060007", "drop_before"),
    card("4000000900070006", "drop_after"),
    card("4000000900240005", "error_after"),
    card("4000000900080005", "slow"),
    card("4000000900090004", "malformed"),
    card("4000000900100001", "truncated"),
    card("4000000900110000", "huge"),
    card("4000000900120009", "wrong_amount"),
    card("4000000900130008", "wrong_currency"),
    card("4000000900230006", "charges_more"),
    card("4000000900140007", "pending_approved"),
    card("4000000900150006", "pending_declined"),
    card("4000000900160005", "inquiry_lag"),
    card("4000000900170004", "approve_twice"),
    card("4000000900180003", "net_cancel_refused"),
    card("4000000900190002", "net_cancel_lost"),
    card("4000000000005126", "refund_declined"),
    card("4000000000007726", "refund_pending"),
    card("4000000900280001", "refund_fails_later"),
    card("4000000900290000", "refund_answer_lost"),
    card("4000000900300007", "capture_declined"),
    card("4000000900310006", "captured_at_once"),
];

const fn card(number: &'static str, name: &'static str) -> TestCard {
    TestCard { number, name }
}

/// The fault of a card number. The number goes no further than this.
pub fn of_number(number: &str) -> &'static Fault {
    TABLE.iter().find(|card| card.number == number).map_or(faults::NONE, |card| faults::by_name(card.name))
}

#[cfg(test)]
mod tests {
    use super::TABLE;
    use crate::behaviour::faults;
    use crate::company::is_card_number;

    #[test]
    fn numbers_are_valid_and_numbers_and_names_are_unique() {
        for (nth, card) in TABLE.iter().enumerate() {
            assert!(is_card_number(card.number), "{}", card.name);
            assert_eq!(faults::by_name(card.name).name, card.name);
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
