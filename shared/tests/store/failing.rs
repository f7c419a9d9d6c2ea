//! What a failure says of what was written.

use std::path::Path;
use std::time::Duration;

use naru_servers::Postgres;
use naru_shared::domain::attempt::Answer;
use naru_shared::domain::operation::{Connector, Urgency};
use naru_shared::store::{Store, StoreError, Written};
use sqlx::Connection as _;

use crate::house::{House, TRACE, answered, approved, options};

fn written(error: &StoreError) -> Option<Written> {
    match error {
        StoreError::Unavailable { written, .. } => Some(*written),
        StoreError::Constraint { .. }
        | StoreError::BatchDisagrees
        | StoreError::Inconsistent { .. }
        | StoreError::Refused(_) => None,
    }
}

/// Holds every row of a table until the transaction ends.
async fn hold(house: &House, table: &str) -> sqlx::PgConnection {
    let mut conn = sqlx::PgConnection::connect(&house.url).await.unwrap();
    let lock = format!("begin; lock table {table} in access exclusive mode");
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut conn).await.unwrap();
    conn
}

/// Waits until a statement of the store waits for a lock, and does this to its backend.
async fn does(house: &House, what: &str) {
    let sql = format!(
        "select count({what}(pid)) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    );
    while house.ask(sql.clone()).await == "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_postgres_took_back_was_not_written() {
    let house = House::enter().await;
    let holder = hold(&house, "operations").await;
    let waits = || house.store.sweep(Connector::Card, Urgency::Pay, 1);
    let timed_out = waits().await.unwrap_err();
    assert_eq!(written(&timed_out), Some(Written::No), "lock time-out: {timed_out:?}");
    for what in ["pg_cancel_backend", "pg_terminate_backend"] {
        let (ended, ()) = tokio::join!(waits(), does(&house, what));
        let error = ended.unwrap_err();
        assert_eq!(written(&error), Some(Written::No), "{what}: {error:?}");
        assert!(error.is_transient());
    }
    drop(holder);
    house.leave().await;
}

#[tokio::test]
async fn who_gets_no_connection_has_written_nothing() {
    let house = House::enter().await;
    let narrow = naru_shared::store::StoreOptions { acquire_timeout: Duration::from_millis(200), ..options(1) };
    let store = Store::new(&house.url, &narrow).unwrap();
    let holder = hold(&house, "operations").await;
    let waits = store.sweep(Connector::Card, Urgency::Pay, 1);
    let comes_second = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        store.sweep(Connector::Card, Urgency::Pay, 1).await
    };
    let (_, second) = tokio::join!(waits, comes_second);
    assert_eq!(written(&second.unwrap_err()), Some(Written::No));
    drop(holder);
    store.close().await;
    house.leave().await;
}

#[tokio::test]
async fn a_server_that_dies_mid_statement_leaves_a_write_in_doubt_and_a_read_not() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-dies");
    let start = move || Postgres::start_in(&folder);
    let postgres = tokio::task::spawn_blocking(start).await.unwrap().unwrap();
    let store = Store::new(&postgres.url(), &options(4)).unwrap();
    store.migrate().await.unwrap();
    let mut holder = sqlx::PgConnection::connect(&postgres.url()).await.unwrap();
    sqlx::raw_sql("begin; lock table operations in access exclusive mode").execute(&mut holder).await.unwrap();
    let kill = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        tokio::task::spawn_blocking(move || {
            postgres.kill9().unwrap();
            postgres
        })
        .await
        .unwrap()
    };
    let writes = store.sweep(Connector::Card, Urgency::Pay, 1);
    let reads = store.overdue(Connector::Card, Urgency::Pay);
    let (wrote, read, postgres) = tokio::join!(writes, reads, kill);
    let (wrote, read) = (wrote.unwrap_err(), read.unwrap_err());
    assert_eq!(written(&wrote), Some(Written::Perhaps), "{wrote:?}");
    assert_eq!(written(&read), Some(Written::No), "{read:?}");
    // With nobody there nothing can have been written.
    let nobody = store.sweep(Connector::Card, Urgency::Pay, 1).await.unwrap_err();
    assert!(nobody.is_transient(), "{nobody:?}");
    tokio::task::spawn_blocking(move || drop(postgres)).await.unwrap();
}

/// What Postgres says when a worker writes what it heard, and whether the answer is written again.
#[tokio::test]
async fn what_passes_is_written_again_and_what_does_not_is_refused() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let claimed = house.claims(house.worker, sold.operation).await.unwrap();
    let heard = answered(claimed.fresh.as_ref().unwrap().id, &Answer::Approve(approved()));
    let (no, perhaps, refused) = (Some(Written::No), Some(Written::Perhaps), None);
    #[rustfmt::skip]
    let table = [
        // idle in a transaction for too long, and a transaction that took too long
        ("25P03", no), ("25P04", no),
        // a standby; a lock; an object in use
        ("25006", no), ("55P03", no), ("55006", no),
        // serialization, deadlock, and one of which Postgres does not know
        ("40001", no), ("40P01", no), ("40003", perhaps),
        // the connection, and a commit in two phases of which it does not know
        ("08006", no), ("08007", perhaps),
        // connections, disk, memory
        ("53300", no), ("53100", no), ("53200", no),
        // cancelled, shut down, crashed, starting, an idle session
        ("57014", no), ("57P01", no), ("57P02", no), ("57P03", no), ("57P05", no),
        // the disk below
        ("58000", no), ("58030", no), ("58P01", no),
        // wrong statements, missing tables and rights, a transaction that has failed already, damaged data
        ("42601", refused), ("42P01", refused), ("42501", refused), ("25P02", refused), ("22001", refused),
        ("0A000", refused), ("XX001", refused),
    ];
    house
        .run(
            "create function fail() returns trigger language plpgsql as
            $$ begin raise exception using errcode = (select comment from trouble), message = 'trouble'; end $$",
        )
        .await;
    house.run("create table trouble (comment text not null)").await;
    house.run("create trigger fail before update on attempts execute function fail()").await;
    for (code, expected) in table {
        house.run("truncate trouble").await;
        house.run(format!("insert into trouble values ('{code}')")).await;
        let error = house.store.answer_attempt(&heard, TRACE).await.unwrap_err();
        assert_eq!(written(&error), expected, "{code}: {error:?}");
        assert_eq!(error.is_transient(), expected.is_some(), "{code}");
    }
    house.leave().await;
}

#[tokio::test]
async fn a_fault_of_the_program_is_not_tried_again() {
    let house = House::enter().await;
    let error = house.store.register_origin(house.tenant, "https://a\0b").await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)) && !error.is_transient(), "{error:?}");
    let error = house.store.register_origin(house.tenant, "https://a/b").await.unwrap_err();
    assert!(error.is_constraint("merchant_origins_origin"), "{error:?}");
    house.leave().await;
}

#[tokio::test]
async fn a_row_that_says_what_we_never_write_is_named() {
    let house = House::enter().await;
    let sold = house.sells().await;
    house.run("alter table operations drop constraint operations_kind; ").await;
    house.run("alter table operations drop constraint operations_target; ").await;
    house.run("update operations set kind = 'gift'").await;
    let error = house.store.operation(sold.operation).await.unwrap_err().to_string();
    assert_eq!(error, format!("operations {}: kind is not something we write", sold.operation));
    house.run("update payment_events set state = '{}'").await;
    let error = house.store.events_after(sold.payment, 0, 1).await.unwrap_err().to_string();
    assert_eq!(error, format!("payment_events {} version 1: state is not something we write", sold.payment));
    house.leave().await;
}
