//! What a program is told by its environment: read once at start, checked whole, every mistake reported at once.
//!
//! The simulator is none of our programs' business and reads its own (`simulator/src/config.rs`).
//!
//! One struct per concern; the doc of each field names its variable and default. Nothing here reads the environment:
//! a lookup is handed in ([`crate::system::environment`] in programs, a map in tests).

mod acquirers;
mod browsers;
mod concerns;
mod programs;
mod reader;

pub use acquirers::Acquirers;
pub use browsers::Browsers;
pub use concerns::{
    ApiListen, Broker, Database, DemoCards, InternalListen, LogFormat, MasterKeys, Operators, PublicUrl, Redis,
    Telemetry, Work,
};
pub use programs::{ApiConfig, CliConfig, WorkerConfig};
pub use reader::{Concern, ConfigError, Lookup, Problem, Reader, Variable};
