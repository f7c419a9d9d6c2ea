//! What all programs of Naru share.

pub mod api_key;
mod base62;
pub mod clock;
pub mod config;
pub mod retry;
pub mod secret;
pub mod system;
pub mod telemetry;
