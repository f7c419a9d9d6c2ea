//! No container engine runs where this is built. What `docker-compose.yml` and `deploy/` say is therefore compared with
//! the code: every variable, port, path, file, version and metric they name.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets the unexpected ends there")]

mod broker;
mod compose;
mod images;
mod metrics;
mod programs;
mod proxy;
mod services;
