//! `naru migrate`.

use std::time::Duration;

use naru_shared::config::{Concern as _, Database};
use naru_shared::store::{Role, Store, StoreOptions};
use naru_shared::system::environment;

use crate::Outcome;

pub(crate) async fn run() -> Outcome {
    store(&Database::from_env(&environment)?)?.migrate().await?;
    println!("the database is up to date");
    Ok(())
}

/// The database, as whoever it is logged in as.
pub(crate) fn store(database: &Database) -> Result<Store, Box<dyn std::error::Error>> {
    let options = StoreOptions {
        role: Role::LoggedIn,
        connections_max: database.connections_max,
        acquire_timeout: Duration::from_secs(10),
        application_name: "naru",
    };
    Ok(Store::new(database.url.expose(), &options)?)
}
