//! How Postgres carries out the statements that run all the time: by index, on tables that have grown.

use std::path::Path;

use sqlx::{AssertSqlSafe, Row as _};

use crate::house::{House, TRACE};

/// Rows of each table: enough that reading all of them is the worse plan.
const ROWS: u32 = 50_000;

/// The statements, by words that only they have, and the tables that they must not read through.
const STATEMENTS: [(&str, &str, &[&str]); 17] = [
    ("claim", "as w(id, attempt, reference, early_ms, again)", &["operations", "payments", "attempts"]),
    ("record_batch", "as i(operation, fence, next,", &["operations", "payments", "attempts", "payment_events"]),
    ("sweep", "order by o.nudge_at limit", &["operations"]),
    ("overdue", r#"select count(*) as "rows!" from operations"#, &["operations"]),
    ("backlog", "select connector, payment_id from operations", &["operations", "payments"]),
    ("orphans", "from workers k join operations o on o.owner", &["operations"]),
    ("versions", "select id, version from payments where id = any", &["payments"]),
    ("count_against", "insert into rate_limits as l", &["rate_limits"]),
    ("reserve", "insert into rate_limits as h", &["rate_limits"]),
    ("decide", "update rate_limits set undecided", &["rate_limits"]),
    ("is_counted", "until > now() and count > 0", &["rate_limits"]),
    ("find_session", "with living as (", &["payer_sessions", "payers"]),
    ("payments_of", "order by y.payment_id desc limit $3", &["payment_payers", "payments"]),
    ("authenticate_payment", "insert into payment_payers", &["payments", "payers"]),
    ("expiry", "q.expires_at <= now() and not exists", &["operations", "payments"]),
    ("capture", "q.capture_at <= now()", &["payments"]),
    ("delayed", "q.state ->> 'delayed' is distinct", &["operations", "payments"]),
];

/// The query data that the build checked against the database.
fn queries() -> Vec<(String, usize)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let query: serde_json::Value = serde_json::from_str(&text).unwrap();
            let parameters = query["describe"]["parameters"]["Left"].as_array().unwrap().len();
            (query["query"].as_str().unwrap().to_owned(), parameters)
        })
        .collect()
}

async fn fill(house: &House) {
    let merchant = house.tenant.merchant;
    let worker = house.worker;
    for sql in [
        format!(
            "insert into payments (id, payment_key, checkout_id, merchant_id, mode, source, order_id, order_name, currency,
                total_amount, operation_count, version, status, money_state, state)
            select md5('p' || n)::uuid, 'pay_' || n, 'chk_' || n, '{merchant}', 'test', 'key_in', 'order-' || n, 'socks',
                'KRW', 1000, 1, 2, 'DONE', 'MOVED', '{{\"status\":\"DONE\",\"moneyState\":\"MOVED\"}}'
            from generate_series(1, {ROWS}) n"
        ),
        format!(
            "insert into payment_events (payment_id, version, class, type, state, trace_id)
            select id, v, 'state', 'payment.done', state, '{TRACE}' from payments, generate_series(1, 2) v"
        ),
        "insert into operations (id, payment_id, number, kind, connector, amount, status, deadline_at, result,
                result_version, settled_at, nudge_at, trace_parent)
            select md5('o' || id)::uuid, id, 1, 'approve', 'card', 1000, 'succeeded', now(), '{\"outcome\":\"succeeded\"}', 2,
                now(), null, 'x' from payments"
            .to_owned(),
        format!(
            "insert into attempts (id, operation_id, call, reference, fence, worker, answered_at, answer, resolution)
            select md5('a' || id)::uuid, id, 'approve', 'NR' || id, 1, '{worker}', now(), 'approved', 'approved'
            from operations"
        ),
        // Two hundred wait for their turn.
        "update operations set status = 'queued', result = null, result_version = null, settled_at = null, nudge_at = now()
            where id in (select id from operations order by id limit 200)"
            .to_owned(),
        format!(
            "insert into payers (id, mode, email, password_hash)
            select md5('y' || n)::uuid, 'test', 'payer' || n || '@mail.example', '$argon2id$' from generate_series(1, {ROWS}) n"
        ),
        "insert into payer_sessions (token_hash, payer_id, password_version) select sha256(email::bytea), id, 1 from payers".to_owned(),
        "insert into payment_payers (payment_id, payer_id)
            select md5('p' || n)::uuid, md5('y' || n)::uuid from generate_series(1, 40000) n"
            .to_owned(),
        "insert into rate_limits (scope, key, until, count) select 'sign_in', sha256(email::bytea), now() + interval '1 hour', 1
            from payers"
            .to_owned(),
        "analyze".to_owned(),
    ] {
        house.run(sql).await;
    }
}

#[tokio::test]
async fn what_runs_all_the_time_goes_by_index() {
    let house = House::enter().await;
    fill(&house).await;
    let queries = queries();
    let mut conn = house.sql.acquire().await.unwrap();
    sqlx::query("set plan_cache_mode = force_generic_plan").execute(&mut *conn).await.unwrap();
    let mut through = Vec::new();
    for (name, words, tables) in STATEMENTS {
        let found: Vec<_> = queries.iter().filter(|(query, _)| query.contains(words)).collect();
        let [(query, parameters)] = found.as_slice() else { panic!("{name}: {} statements", found.len()) };
        let nulls = vec!["null"; *parameters].join(", ");
        sqlx::raw_sql(AssertSqlSafe(format!("prepare {name} as {query}"))).execute(&mut *conn).await.unwrap();
        let explain = format!("explain (costs off) execute {name}({nulls})");
        let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *conn).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        for table in tables {
            if plan.iter().any(|line| line.contains(&format!("Seq Scan on {table}"))) {
                through.push(format!("{name} reads through {table}:\n{}", plan.join("\n")));
            }
        }
    }
    // A night of captures that wait is passed over by what counts those whom a payer waits for.
    house
        .run(
            "update operations set kind = 'capture', status = 'queued', result = null, result_version = null, settled_at = null,
                nudge_at = now() where id in (select id from operations where nudge_at is null order by id limit 20000)",
        )
        .await;
    house.run("analyze operations").await;
    let rows = sqlx::raw_sql("explain (costs off) execute backlog(10)").fetch_all(&mut *conn).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(plan.iter().any(|line| line.contains("operations_awaited")), "{}", plan.join("\n"));
    drop(conn);
    assert!(through.is_empty(), "{}", through.join("\n\n"));
    house.leave().await;
}
