//! The test cards, from the table that the simulator itself goes by.

use naru_simulator::behaviour::cards::TABLE;

/// Every test card's name and number.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.iter().map(|card| (card.name, card.number))
}

/// The number of the card of this name (`approve`, `decline_51`, `timeout_after` …).
///
/// # Panics
/// When there is no such card.
#[must_use]
pub fn number(name: &str) -> &'static str {
    let found = TABLE.iter().find(|card| card.name == name);
    found.unwrap_or_else(|| panic!("the simulator has no test card {name:?}")).number
}
