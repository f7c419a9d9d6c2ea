//! Payers who have an account: who is signed in, for how long and where; the cards they keep; and what they pay for with them.

mod cards;
mod limits;
mod must_not;
mod pages;
mod paying;
mod sessions;

use std::collections::BTreeSet;

use naru_testbed::{Answer, Gateway};
use serde_json::Value;

/// The document without what is different each time.
fn told(answer: &Answer) -> (u16, Value, BTreeSet<String>) {
    let mut body = answer.body.clone();
    for member in ["instance", "traceId", "cardId", "registeredAt"] {
        if let Some(members) = body.as_object_mut() {
            members.remove(member);
        }
    }
    (answer.status, body, answer.headers.keys().map(ToString::to_string).collect())
}

/// How many rows a table has.
async fn count(gateway: &Gateway, table: &'static str) -> i64 {
    let query = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(query).fetch_one(gateway.db()).await.expect("Postgres answers")
}

fn with(mut body: Value, member: &str, value: &str) -> Value {
    body[member] = value.into();
    body
}
