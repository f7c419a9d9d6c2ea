//! Virtual accounts 가상계좌: opened, paid into, refunded, overdue and closed, with everything that can go wrong between the bank's
//! callback and the books: through HTTP, against the bank.

mod callbacks;
mod cancels;
mod due;
mod opening;
mod paying;
mod secrecy;

use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Answer, Gateway, Payment};
use serde_json::{Value, json};

/// What is not in trouble.
const SOON: Duration = Duration::from_secs(15);
/// What is found though no callback came.
const FOUND: Duration = Duration::from_secs(40);

fn order() -> String {
    Payment::of(15_000).order_id
}

fn payee() -> Value {
    json!({ "bank": "88", "accountNumber": "110-123-456789", "holderName": "홍길동" })
}

/// Has an account opened, and returns what that answered.
async fn opened(gateway: &Gateway, order_id: &str, more: Value) -> Answer {
    let answer = gateway.shop.virtual_account(order_id, 15_000, more).await.expecting(200);
    assert_eq!(answer.text("status"), "WAITING_FOR_DEPOSIT", "{answer:?}");
    answer
}

/// How the deposits stand, when they stand so.
async fn until_deposits(gateway: &Gateway, key: &str, expected: &[(&str, &str)]) -> Answer {
    let what = format!("its deposits are {expected:?}");
    gateway.shop.until(key, &what, FOUND, |read| deposits(read) == expected).await
}

fn deposits(payment: &Answer) -> Vec<(&str, &str)> {
    let each = payment.at("deposits").as_array().into_iter().flatten();
    each.map(|deposit| (deposit["status"].as_str().unwrap_or_default(), deposit["reason"].as_str().unwrap_or_default()))
        .collect()
}

/// So many seconds from now, as a merchant writes it.
fn due_in(seconds: i64) -> String {
    let due = System.now() + time::Duration::seconds(seconds);
    due.format(&time::format_description::well_known::Rfc3339).expect("it is a time")
}
