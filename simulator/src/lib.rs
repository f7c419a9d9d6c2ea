//! The card companies and banks of Naru's sandbox.
//!
//! A program of its own with its own durable journal, so that what Naru believes can be compared with what "really"
//! happened. `README.md` beside this crate lists the HTTP API, the test cards and the scripts.
//!
//! - `company`: the books. Pure.
//! - `behaviour`: what a card number or a script makes the company do wrong.
//! - `journal`: the durable list of everything that was asked and done; the books are rebuilt from it.
//! - `server`: HTTP.
//! - `config`: the environment.

pub mod behaviour;
pub mod company;
pub mod config;
pub mod journal;
pub mod logs;
pub mod server;
