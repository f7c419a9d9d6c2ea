//! `naru migrate`.

use std::time::Duration;

use naru_shared::store::{Role, Store, StoreOptions};

use crate::{Outcome, needed};

pub(crate) async fn run() -> Outcome {
    store()?.migrate().await?;
    println!("the database is up to date");
    Ok(())
}

/// One connection to `DATABASE_URL`.
pub(crate) fn store() -> Result<Store, Box<dyn std::error::Error>> {
    let options = StoreOptions {
        role: Role::LoggedIn,
        connections_max: 1,
        acquire_timeout: Duration::from_secs(10),
        application_name: "naru",
    };
    Ok(Store::new(&needed("DATABASE_URL")?, &options)?)
}
