//! All three, side by side.

use std::path::Path;
use std::thread;

use crate::server::{Kind, Server};
use crate::{Failure, Postgres, RabbitMq, Redis, place};

/// A private Postgres, RabbitMQ and Redis. Dropping the value stops them, all at the same time.
pub struct Servers {
    /// The truth.
    pub postgres: Postgres,
    /// The hints.
    pub rabbitmq: RabbitMq,
    /// The wake-ups.
    pub redis: Redis,
}

impl Servers {
    /// Starts all three with their data under `dir` and returns when all answer; the slowest (RabbitMQ) takes about 6 s.
    ///
    /// # Errors
    /// The first failure; the others are stopped then.
    pub fn start(dir: &Path) -> Result<Self, Failure> {
        Self::start_telling(dir, |_| ())
    }

    /// Like [`Servers::start`]; `ready` hears the name of each server as soon as it answers.
    ///
    /// # Errors
    /// The first failure; the others are stopped then.
    pub fn start_telling(dir: &Path, ready: impl Fn(&'static str) + Sync) -> Result<Self, Failure> {
        fn start<K: Kind>(dir: &Path, ready: &(impl Fn(&'static str) + Sync)) -> Result<Server<K>, Failure> {
            let server = Server::start_in(dir)?;
            ready(K::NAME);
            Ok(server)
        }
        thread::scope(|scope| {
            let rabbitmq = scope.spawn(|| start(dir, &ready));
            let postgres = scope.spawn(|| start(dir, &ready));
            let redis = start(dir, &ready);
            Ok(Self {
                postgres: postgres.join().map_err(|_| Failure::new("start postgres", "its thread panicked"))??,
                rabbitmq: rabbitmq.join().map_err(|_| Failure::new("start rabbitmq", "its thread panicked"))??,
                redis: redis?,
            })
        })
    }

    /// Stops all three in good order, at the same time.
    ///
    /// # Errors
    /// The first failure; the others are stopped all the same.
    pub fn stop(&self) -> Result<(), Failure> {
        thread::scope(|scope| {
            let rabbitmq = scope.spawn(|| self.rabbitmq.stop());
            let postgres = scope.spawn(|| self.postgres.stop());
            let redis = self.redis.stop();
            let others = [postgres.join(), rabbitmq.join()].into_iter().flatten();
            others.fold(redis, Result::and)
        })
    }

    /// Leaves all three running when this value is dropped; the next start in the same folder ends them.
    pub fn keep(&self) {
        self.postgres.keep();
        self.rabbitmq.keep();
        self.redis.keep();
    }
}

impl Drop for Servers {
    /// Side by side; what then drops each server alone finds nothing left to do.
    fn drop(&mut self) {
        thread::scope(|scope| {
            scope.spawn(|| self.rabbitmq.stop_unless_kept());
            scope.spawn(|| self.postgres.stop_unless_kept());
            self.redis.stop_unless_kept();
        });
    }
}

/// Ends what an earlier run left running in `dir`, and deletes all of its data, wherever they lie.
///
/// # Errors
/// When a process survives, or a folder cannot be deleted.
pub fn forget(dir: &Path) -> Result<(), Failure> {
    if !dir.exists() {
        return Ok(());
    }
    Postgres::end_earlier(dir)?;
    RabbitMq::end_earlier(dir)?;
    Redis::end_earlier(dir)?;
    place::forget(dir);
    std::fs::remove_dir_all(dir).map_err(|cause| Failure::new(format!("delete {}", dir.display()), cause))
}
