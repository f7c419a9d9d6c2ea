//! Naru as a whole: real Postgres, RabbitMQ and Redis, our own programs as they are shipped, and everything that can go
//! wrong around them.
//!
//! ```no_run
//! use naru_testbed::{Gateway, Payment};
//!
//! # async fn test() {
//! let gateway = Gateway::start().await;
//! let order = Payment::of(12_000);
//! let answer = gateway.shop.key_in(&order).await;
//! assert_eq!((answer.status, answer.text("status")), (200, "DONE"));
//! gateway.bank.expect(&order.order_id).charged_once().await;
//! gateway.check().await; // every invariant, against the card company's own journal
//! # }
//! ```
//!
//! - [`Gateway`]: one test's Naru: its own database, virtual host, Redis prefix and programs, on free ports.
//! - [`Shop`], [`Payer`], [`Account`], [`Operator`], [`Company`] with its [`Desk`]s: those who use it, over HTTP.
//! - [`Bank`]: the card company (the simulator): what it shall do wrong, and what it really did.
//! - [`Program`], [`Worker`]: kill, freeze, thaw, terminate, restart, hold at a point.
//! - [`Proxy`]: stands before Postgres, RabbitMQ, Redis or the card company, and cuts, freezes, refuses, delays.
//! - [`checker`]: one query per invariant; a row returned is a violation.
//! - [`canary`]: looks for card data where none may be.
//!
//! Servers: those that `cargo xtask test` names in `NARU_TEST_*`, or private ones, started by the first test that needs
//! them and ended with this process.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected ends there, and says what it was"
)]

mod account;
mod answer;
mod backdoor;
mod bank;
mod billing;
pub mod canary;
pub mod cards;
pub mod checker;
mod company;
mod database;
mod gateway;
mod hold;
mod http;
mod logs;
mod means;
mod operator;
mod patience;
mod payer;
mod payment;
mod program;
mod proxy;
mod run;
mod servers;
mod shop;
mod stream;
mod vhost;
mod worker;

pub use account::Account;
pub use answer::{Answer, codes_heard, foreign_codes};
pub use bank::{Bank, BankHold, Expected, Money};
pub use company::{Company, Desk, IssuedKey, PASSWORD};
pub use gateway::{Accepted, Builder, Ended, Gateway, Who, share_of_handles};
pub use hold::Hold;
pub use http::Call;
pub use means::Means;
pub use operator::Operator;
pub use patience::{eventually, within};
pub use payer::Payer;
pub use payment::Payment;
pub use program::Program;
pub use proxy::{Direction, Proxy};
pub use servers::{Link, OwnServers};
pub use shop::Shop;
pub use stream::{Seen, Stream};
pub use worker::Worker;
