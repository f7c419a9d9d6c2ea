//! To come.

pub mod broker;
mod reconnect;
