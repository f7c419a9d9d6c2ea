//! What all programs of Naru share.
//!
//! [`domain`] is pure; only [`store`] speaks SQL, only [`broker`] speaks AMQP, only [`bus`] speaks Redis.

pub mod acquirer;
pub mod api_key;
mod base62;
pub mod broker;
pub mod bus;
pub mod clock;
pub mod config;
mod connectors;
pub mod crash;
pub mod domain;
pub mod keys;
mod reconnect;
pub mod retry;
pub mod secret;
pub mod store;
pub mod system;
pub mod telemetry;
mod words;
