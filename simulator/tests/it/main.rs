//! The real program, over HTTP.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends there")]

mod callbacks;
mod card_kinds;
mod durability;
mod faults;
mod faults_elsewhere;
mod hardening;
mod modes;
mod money;
mod pay_outs;
mod phones;
mod points;
mod scripts;
mod simulator;
mod transfers;
mod virtual_account;
mod virtual_accounts;
