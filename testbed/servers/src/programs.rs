//! Debian's binaries, found where its packages put them.

use std::path::{Path, PathBuf};

use crate::Failure;

const SYSTEM_FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A server that can be private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// From the package `postgresql`.
    Postgres,
    /// From the package `rabbitmq-server`.
    RabbitMq,
    /// From the package `redis-server`.
    Redis,
}

/// The Debian packages that must be installed before these can be started.
#[must_use]
pub fn packages_missing_for(wanted: &[Program]) -> Vec<&'static str> {
    let missing = wanted.iter().filter_map(|program| match program {
        Program::Postgres => postgres_folder().is_err().then_some("postgresql"),
        Program::RabbitMq => (rabbitmq_server().is_err() || epmd().is_err()).then_some("rabbitmq-server"),
        Program::Redis => redis_server().is_err().then_some("redis-server"),
    });
    missing.collect()
}

/// The folder with `postgres` and `initdb`, of the newest version there is.
pub(crate) fn postgres_folder() -> Result<PathBuf, Failure> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .filter(|(_, bin)| bin.join("postgres").exists() && bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().map(|(_, bin)| bin).ok_or_else(|| not_installed("postgres", "postgresql"))
}

/// RabbitMQ's own start script: the one in the path is Debian's wrapper, which insists on the system-wide broker's user.
pub(crate) fn rabbitmq_server() -> Result<PathBuf, Failure> {
    existing("/usr/lib/rabbitmq/bin/rabbitmq-server").ok_or_else(|| not_installed("rabbitmq-server", "rabbitmq-server"))
}

/// Erlang's port mapper.
pub(crate) fn epmd() -> Result<PathBuf, Failure> {
    in_system_folders("epmd").ok_or_else(|| not_installed("epmd", "erlang-base"))
}

pub(crate) fn redis_server() -> Result<PathBuf, Failure> {
    in_system_folders("redis-server").ok_or_else(|| not_installed("redis-server", "redis-server"))
}

fn in_system_folders(name: &str) -> Option<PathBuf> {
    SYSTEM_FOLDERS.iter().find_map(|folder| existing(Path::new(folder).join(name)))
}

fn existing(path: impl Into<PathBuf>) -> Option<PathBuf> {
    Some(path.into()).filter(|path| path.exists())
}

fn not_installed(program: &str, package: &str) -> Failure {
    Failure::new(format!("find {program}"), "it is not installed")
        .advice(format!("RUNLEVEL=1 apt-get install --no-install-recommends {package}"))
}
