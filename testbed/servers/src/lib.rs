//! Private Postgres, RabbitMQ and Redis for development and tests.
//!
//! The programs are the ones Debian packages; everything else is ours: data, ports, passwords, node name and cookie.
//! Nothing listens anywhere but on 127.0.0.1, and no service of the machine is touched. When we are root, each server runs
//! as the user its package made for it (or `nobody`), because Postgres refuses root and the others should.
//!
//! ```no_run
//! # fn main() -> Result<(), naru_servers::Failure> {
//! let servers = naru_servers::Servers::start("target/stack".as_ref())?;
//! println!("{} {} {}", servers.postgres.url(), servers.rabbitmq.url(), servers.redis.url());
//! servers.rabbitmq.kill9()?; //   as if the power went; no goodbye
//! servers.rabbitmq.start()?; //   same port, same data
//! servers.redis.pause()?; //      frozen: connections stay open, nobody answers
//! servers.redis.resume()?;
//! # Ok(()) }
//! ```
//!
//! Every process is written down (process id and start time) *by itself, before it becomes the server*. A start that finds
//! such a note from a run that was killed ends exactly those processes first, and never any other.
//! Dropping a server stops it, unless [`Server::keep`] was called. All calls block; from async code use a blocking task.

mod account;
mod failure;
mod folder;
mod handles;
mod ledger;
mod place;
mod ports;
mod postgres;
mod process;
mod programs;
mod rabbitmq;
mod redis;
mod secret;
mod server;
mod servers;
mod settings;
mod temporary;

pub use account::our_uid;
pub use failure::Failure;
pub use folder::write_private;
pub use handles::{handles_max, with_many_handles};
pub use ledger::{Ledger, kill_tree};
pub use ports::free_ports;
pub use postgres::Postgres;
pub use process::{ProcessId, signal};
pub use programs::{Program, packages_missing_for};
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use secret::random_hex;
pub use server::Server;
pub use servers::{Servers, forget};
pub use settings::Settings;
pub use temporary::TemporaryServers;
