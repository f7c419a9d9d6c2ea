//! What a program may not do even if it is wrong or taken over: the roles of `migrations/0005_roles.sql`. That each may do what
//! it must is what every other test of the programs shows.

use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::PaymentId;
use naru_shared::domain::payment::{PaymentSource, PaymentState};
use naru_shared::store::{Advance, Clock, Role, Store, StoreOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use crate::house::{House, TRACE, options};

/// Tries a statement in a role and tells whether the role may do that.
async fn may(house: &House, role: &str, statement: &str) -> bool {
    let mut conn = PgConnection::connect(&house.url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("set role {role}"))).execute(&mut conn).await.unwrap();
    let answer = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await;
    conn.close().await.unwrap();
    match answer {
        Ok(_) => true,
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42501") => false,
        Err(error) => panic!("{statement} in the role {role}: {error}"),
    }
}

async fn columns(house: &House, table: &str) -> Vec<String> {
    let columns =
        "select column_name::text from information_schema.columns where table_schema = 'public' and table_name = $1";
    sqlx::query_scalar(columns).bind(table).fetch_all(&house.sql).await.unwrap()
}

#[tokio::test]
async fn no_program_changes_or_forgets_what_happened() {
    let house = House::enter().await;
    let tenant = house.tenant;
    let key = format!(
        "insert into api_keys (id, merchant_id, mode, kind, hash, hint, revoked_at)
        values (gen_random_uuid(), '{}', 'test', 'secret', sha256('x'), 'x', now())",
        tenant.merchant
    );
    house.run(key).await;
    for role in ["naru_api", "naru_worker"] {
        for table in [
            "payments",
            "payment_events",
            "operations",
            "attempts",
            "dead_letters",
            "cases",
            "merchants",
            "postings",
            "deposits",
            "merchant_clocks",
        ] {
            assert!(!may(&house, role, &format!("delete from {table}")).await, "{role} forgets {table}");
            assert!(!may(&house, role, &format!("truncate {table} cascade")).await, "{role} empties {table}");
        }
        // What is only ever added to: no column of it is changed.
        for table in ["payment_events", "postings", "deposits"] {
            let columns = columns(&house, table).await;
            assert!(columns.len() > 5, "{table}: {columns:?}");
            for column in columns {
                let statement = format!("update {table} set {column} = {column}");
                assert!(!may(&house, role, &statement).await, "{role}: {statement}");
            }
        }
        for statement in [
            "update merchants set mid = 'other'",
            "insert into merchants (id, mid, name) values (gen_random_uuid(), 'other', 'Other')",
            "update api_keys set revoked_at = null",
            "update api_keys set hash = sha256('mine')",
            "update api_keys set mode = 'live'",
            "delete from api_keys",
            "update staff set email = 'mine@shop.example'",
            "delete from staff",
            "update audit_log set staff_id = null",
            "delete from audit_log",
            "truncate audit_log",
            "create table anything (id integer)",
        ] {
            assert!(!may(&house, role, statement).await, "{role}: {statement}");
        }
    }
    house.leave().await;
}

#[tokio::test]
async fn a_program_does_not_do_the_other_s_work() {
    let house = House::enter().await;
    for (role, statement, allowed) in [
        ("naru_api", "update attempts set answer = 'approved'", false),
        ("naru_api", "update workers set alive_until = now()", false),
        ("naru_api", "delete from idempotency_keys", false),
        ("naru_api", "select hash from api_keys", true),
        ("naru_worker", "select hash from api_keys", false),
        ("naru_worker", "select fingerprint from idempotency_keys", true),
        ("naru_worker", "update idempotency_keys set fingerprint = null", false),
        ("naru_worker", "update attempts set answer = answer", true),
        ("naru_api", "insert into audit_log (action, subject, trace_id) values ('a.b', 'x', 'y')", true),
        ("naru_api", "select action from audit_log", false),
        ("naru_worker", "insert into audit_log (action, subject, trace_id) values ('a.b', 'x', 'y')", false),
        ("naru_worker", "select naru_forget_audit_log(500)", true),
        ("naru_worker", "select naru_forget_ended_keys(500)", true),
        ("naru_api", "select naru_forget_audit_log(500)", false),
        ("naru_api", "select naru_forget_ended_keys(500)", false),
        ("naru_worker", "select email from staff", false),
        ("naru_worker", "select staff_id from staff_sessions", false),
        (
            "naru_worker",
            "delete from staff_sessions where token_hash in (select token_hash from staff_sessions
            where expires_at < now() or used_at < now())",
            true,
        ),
        (
            "naru_worker",
            "delete from staff_invitations where id in (select id from staff_invitations where expires_at < now())",
            true,
        ),
        (
            "naru_worker",
            "delete from rate_limits where ctid in (select ctid from rate_limits where until < now())",
            true,
        ),
        ("naru_worker", "update rate_limits set count = 0", false),
        (
            "naru_worker",
            "insert into merchant_origins values (gen_random_uuid(), 'test', 'https://evil.example')",
            false,
        ),
        ("naru_api", "select token from billing_keys", true),
        ("naru_api", "delete from billing_keys", false),
        ("naru_worker", "select token from billing_keys", false),
        ("naru_worker", "select card from billing_requests", false),
        (
            "naru_worker",
            "delete from billing_requests where id in (select id from billing_requests where created_at < now())",
            true,
        ),
        ("naru_api", "delete from payers", false),
        ("naru_api", "update payment_payers set payer_id = payer_id", false),
        ("naru_api", "delete from payment_payers", false),
        ("naru_api", "select token from stored_cards", true),
        ("naru_worker", "select email, password_hash from payers", false),
        ("naru_worker", "select token from stored_cards", false),
        ("naru_worker", "select payer_id from payment_payers", false),
        ("naru_worker", "update payer_sessions set seen_at = now()", false),
        ("naru_worker", "delete from payer_sessions where seen_at < now()", true),
    ] {
        assert_eq!(may(&house, role, statement).await, allowed, "{role}: {statement}");
    }
    house.leave().await;
}

/// The one statement that moves a payment on is both programs': an API's for whoever asks, a worker's when time is over.
#[tokio::test]
async fn either_program_moves_a_payment_on() {
    let house = House::enter().await;
    for (role, clock, event) in
        [(Role::Api, Clock::InTime, PaymentEvent::PayerCanceled), (Role::Worker, Clock::Over, PaymentEvent::Expired)]
    {
        let id = PaymentId(Uuid::now_v7());
        let order = format!("order-{}", id.0.simple());
        house.create(id, &order, PaymentSource::Checkout, &PaymentState::ready(), None, None).await.unwrap();
        let payment = house.payment(id).await;
        if clock == Clock::Over {
            house.run("update payments set expires_at = now() - interval '1 second' where status = 'READY'").await;
        }
        let store = Store::new(&house.url, &StoreOptions { role, ..options(1) }).unwrap();
        let next = payment.state.on(&event).unwrap();
        let change = Advance {
            payment: &payment,
            next: &next,
            event: &event,
            clock,
            operation: None,
            key: None,
            trace_id: TRACE,
        };
        let advanced = store.advance_payment(&change).await.unwrap();
        assert!(advanced.is_some(), "{role:?}");
        store.close().await;
    }
    house.leave().await;
}

#[tokio::test]
async fn every_connection_of_a_program_acts_in_its_role() {
    let house = House::enter().await;
    let worker = Store::new(&house.url, &StoreOptions { role: Role::Worker, ..options(1) }).unwrap();
    // A worker may not make merchants: that the store says so shows in which role it acts.
    let merchant = naru_shared::domain::id::MerchantId(uuid::Uuid::now_v7());
    let new = naru_shared::store::NewMerchant { id: merchant, mid: "other", name: "Other" };
    let refused = worker.create_merchant(&new).await.unwrap_err();
    assert!(format!("{refused:?}").contains("permission denied"), "{refused:?}");
    worker.close().await;
    house.leave().await;
}
