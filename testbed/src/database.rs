//! One test's database, made from a migrated template.

use std::str::FromStr as _;
use std::time::Duration;

use naru_shared::store::{Role, Store, StoreOptions};
use naru_shared::system::environment;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use tokio::sync::OnceCell;

use crate::run;

/// A database and a few connections to it that no proxy stands before.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) pool: PgPool,
    /// Which one to drop in the end; a server of the test's own goes as a whole.
    drop: Option<(String, String)>,
}

impl Database {
    /// A copy of the template, on the shared server.
    pub(crate) async fn from_template(server: &str) -> Self {
        let name = format!("naru_test_{}", run::unique());
        let template = template(server).await;
        execute(server, &format!("create database {name} template {template}")).await;
        let url = url_of(server, &name);
        Self { pool: pool(&url), url, drop: Some((server.to_owned(), name)) }
    }

    /// The one database of the test's own server, migrated here.
    pub(crate) async fn migrate(url: String) -> Self {
        migrate(&url).await;
        Self { pool: pool(&url), url, drop: None }
    }

    /// Drops it, whoever is still connected.
    pub(crate) async fn drop(&self) {
        if let Some((server, name)) = &self.drop {
            execute(server, &format!("drop database if exists {name} with (force)")).await;
        }
    }
}

/// The migrated database that others are copied from: the one we were given, or one made by the first test.
async fn template(server: &str) -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(async || {
            if let Some(given) = environment("NARU_TEST_TEMPLATE") {
                return given;
            }
            let name = format!("naru_template_{}", run::unique());
            execute(server, &format!("create database {name}")).await;
            migrate(&url_of(server, &name)).await;
            name
        })
        .await
}

async fn migrate(url: &str) {
    let options = StoreOptions {
        role: Role::LoggedIn,
        connections_max: 2,
        acquire_timeout: Duration::from_secs(10),
        application_name: "naru-testbed",
    };
    let store = Store::new(url, &options).expect("the address can be read");
    store.migrate().await.expect("the migrations apply");
    // A database that somebody is connected to can't be copied.
    store.close().await;
}

async fn execute(server: &str, statement: &str) {
    let mut connection = PgConnection::connect(server).await.expect("Postgres answers");
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
    let _ = connection.close().await;
}

fn pool(url: &str) -> PgPool {
    let options = PgConnectOptions::from_str(url).expect("the address can be read").application_name("naru-testbed");
    PgPoolOptions::new().max_connections(4).connect_lazy_with(options)
}

/// The same server's address, with another database.
fn url_of(server: &str, database: &str) -> String {
    let (server, _) = server.rsplit_once('/').expect("postgres://user:password@host:port/database");
    format!("{server}/{database}")
}
