//! What a program is told by its environment: read once at start, checked whole, every mistake reported at once.
//!
//! One struct per concern; the doc of each field names its variable and default. Nothing here reads the environment:
//! a lookup is handed in ([`crate::system::environment`] in programs, a map in tests).

mod browsers;
mod concerns;
mod programs;
mod reader;

pub use browsers::Browsers;
pub use concerns::{
    ApiListen, Broker, CardAcquirer, Database, InternalListen, LogFormat, MasterKeys, Operators, PublicUrl, Redis,
    Simulator, SimulatorMode, Telemetry, Work,
};
pub use programs::{ApiConfig, CliConfig, Program, SimulatorConfig, WorkerConfig, variables};
pub use reader::{Concern, ConfigError, Lookup, Problem, Reader, Variable};
