//! The real program, over HTTP.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends there")]

mod durability;
mod faults;
mod hardening;
mod modes;
mod money;
mod scripts;
mod simulator;
