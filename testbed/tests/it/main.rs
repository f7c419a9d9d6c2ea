//! What must hold of Naru as a whole, against real servers. One program, so that it is linked once; a module per
//! capability.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected ends there")]

mod authz;
mod backoffice;
mod bad_input;
mod breaker;
mod broker;
mod cancels;
mod card_data;
mod command_line;
mod crash;
mod cut;
mod drain;
mod edges;
mod giving_back;
mod happy;
mod idempotency;
mod payers;
mod poison;
mod postgres;
mod problem;
mod races;
mod raw;
mod redis;
mod schedule;
mod streams;
mod torture;
mod trace;
mod virtual_accounts;
mod worker;
mod zombie;
