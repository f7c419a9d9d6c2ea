//! The merchants' people: who may do what, and that keys, sessions and worlds are kept apart. Who gets what from each call is in
//! `authz.txt`.

mod audit;
mod doors;
mod keys;
mod passwords;
mod people;
mod proof;
mod sessions;
mod worlds;

use std::time::Duration;

use naru_testbed::{Gateway, Shop, eventually};
use sqlx::{AssertSqlSafe, Row as _};

/// How long instances believe a key at most, and a little.
const BELIEVED: Duration = Duration::from_secs(4);

async fn number(gateway: &Gateway, sql: &str) -> i64 {
    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(gateway.db()).await.expect("Postgres answers").get(0)
}

/// A shop that uses this key.
fn with_key(gateway: &Gateway, key: &str) -> Shop {
    let mut shop = gateway.shop.clone();
    key.clone_into(&mut shop.secret_key);
    shop
}

async fn until_refused(shop: &Shop) {
    let refused = async || (shop.list("limit=1").await.text("reason") == "KEY_UNKNOWN").then_some(());
    eventually("the key opens nothing any more", BELIEVED, refused).await;
}
