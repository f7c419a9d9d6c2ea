//! To come.

pub mod broker;
pub mod bus;
mod reconnect;
