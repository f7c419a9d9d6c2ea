//! What the store promises, against a real Postgres.
#![expect(clippy::unwrap_used, reason = "a test says what it expected")]
#![expect(clippy::disallowed_methods, reason = "a test makes its own ids, and reads its environment")]

mod accepting;
mod accounts;
mod api_keys;
mod cancels;
mod claiming;
mod constraints;
mod counting;
mod evidence;
mod failing;
mod house;
mod letters;
mod logging;
mod moving;
mod payers;
mod plans;
mod rates;
mod recording;
mod roles;
mod staff;
mod sweeping;
