//! Naru's HTTP edge.

pub mod body;
pub mod context;
pub mod fingerprint;
pub mod headers;
pub mod limits;
pub mod openapi;
pub mod problem;
