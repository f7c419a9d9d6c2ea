//! What all programs of Naru share.
//!
//! [`domain`] is pure; only [`store`] speaks SQL.

pub mod acquirer;
pub mod api_key;
mod base62;
pub mod clock;
pub mod config;
pub mod domain;
pub mod retry;
pub mod secret;
pub mod store;
pub mod system;
pub mod telemetry;
mod words;
