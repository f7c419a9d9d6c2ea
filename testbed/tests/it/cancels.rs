//! Giving money back, before capture and after it, and capture itself: through HTTP, against the card company.

mod asking;
mod captures;
mod together;
mod trouble;
mod waiting;

use std::time::Duration;

use naru_testbed::{Answer, Gateway, Payment};
use serde_json::Value;

/// The longest course of a change: two calls that are never answered, and until "not found" is believed.
const LONGEST: Duration = Duration::from_secs(60);

/// What is not in trouble.
const SOON: Duration = Duration::from_secs(15);

/// Has an order paid, and returns its key.
async fn paid(gateway: &Gateway, payment: &Payment) -> String {
    gateway.shop.key_in(payment).await.expecting(200).payment_key().to_owned()
}

/// The member of each cancel, in order.
fn each<'a>(payment: &'a Answer, member: &str) -> Vec<&'a Value> {
    payment.at("cancels").as_array().into_iter().flatten().map(|cancel| &cancel[member]).collect()
}

fn is_done(payment: &Answer) -> bool {
    each(payment, "cancelStatus").iter().all(|status| *status == "DONE")
}
