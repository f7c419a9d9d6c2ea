//! Reads the repository itself: what the documents name exists, and every part keeps to its own business.
//!
//! A rule that is in the way is changed here, in the open, with its reason.

mod code;
mod documents;
mod modules;
mod must_not;
mod repository;
mod routes;
mod variables;
mod whole;
