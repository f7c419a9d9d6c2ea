//! What can be wrong with deposits and with where their money goes back to: many of them, banks that take back what was paid out,
//! pay-outs that come back, accounts that are said late or anew. Nothing of it is lost, paid twice or kept from a person.

use std::time::Duration;

use naru_testbed::{Answer, Gateway, Payment, eventually};
use reqwest::Method;
use serde_json::{Value, json};

/// What is not in trouble.
const SOON: Duration = Duration::from_secs(15);
/// What a worker has to find out about first.
const FOUND: Duration = Duration::from_secs(60);

fn payee(number: &str) -> Value {
    json!({ "bank": "88", "accountNumber": number, "holderName": "홍길동" })
}

const GOOD: &str = "110123456789";
const WRONG: &str = "999000000614";

/// An account that waits for 15,000, and its order.
async fn opened(gateway: &Gateway, more: Value) -> (String, String) {
    let order_id = Payment::of(15_000).order_id;
    let answer = gateway.shop.virtual_account(&order_id, 15_000, more).await.expecting(200);
    (order_id, answer.payment_key().to_owned())
}

/// The same, paid.
async fn paid(gateway: &Gateway, more: Value) -> (String, String, String) {
    let (order_id, key) = opened(gateway, more).await;
    let deposit = gateway.bank.deposit(&order_id, json!({})).await;
    let _ = gateway.shop.until_status(&key, "DONE").await;
    (order_id, key, deposit["transactionKey"].as_str().unwrap_or_default().to_owned())
}

async fn ask(gateway: &Gateway, sql: &'static str) -> String {
    let answer = sqlx::query_scalar::<_, Option<String>>(sql).fetch_one(gateway.db()).await;
    answer.expect("Postgres answers").unwrap_or_default()
}

async fn run(gateway: &Gateway, sql: &'static str) {
    sqlx::query(sql).execute(gateway.db()).await.expect("Postgres answers");
}

async fn look_now(gateway: &Gateway) {
    run(gateway, "update account_looks set look_at = now()").await;
}

/// A person is told: a case, and a letter that stays until somebody sees to it.
async fn a_person_is_told(gateway: &Gateway, kind: &str, why: &str) {
    let told = "select string_agg(k.kind || ' ' || coalesce(k.detail ->> 'why', k.detail ->> 'found'), ', ')
        from cases k join dead_letters d on d.operation_id = k.operation_id and d.kind = 'needs_person' and d.resolved_at is null";
    let expected = format!("{kind} {why}");
    eventually(&format!("a person is told: {expected}"), FOUND, async || {
        (ask(gateway, told).await == expected).then_some(())
    })
    .await;
    let letters = gateway.operator.letters().await.expecting(200);
    assert!(letters.body.to_string().contains("needs_person"), "{letters:?}");
}

/// The id of the letter that is open.
async fn letter(gateway: &Gateway) -> String {
    let letters = gateway.operator.letters().await.expecting(200);
    letters.text("data.0.id").to_owned()
}

/// What the operators' API answers to somebody who has settled with the bank what this letter is about.
async fn dealt_with(gateway: &Gateway, letter: &str) -> Answer {
    let word = json!({ "operator": "kim", "reason": "the bank has paid us" });
    gateway.operator.say(letter, "settle", &word).await
}

/// No letter is open, nor a case.
async fn nothing_is_open(gateway: &Gateway) -> bool {
    let letters = gateway.operator.letters().await.expecting(200);
    let cases = ask(gateway, "select count(*)::text from cases where closed_at is null").await;
    letters.at("data") == &json!([]) && cases == "0"
}

/// The accounts are looked at once more.
async fn looked_at(gateway: &Gateway, order_id: &str) {
    let looks = gateway.bank.asked(order_id, "inquire").await;
    look_now(gateway).await;
    eventually("it is looked at again", SOON, async || {
        (gateway.bank.asked(order_id, "inquire").await > looks).then_some(())
    })
    .await;
}

fn is_returned(read: &Answer) -> bool {
    read.at("deposits.0.status") == "returned"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_found_behind_more_deposits_than_are_listed() {
    let gateway = Gateway::start().await;
    let (order_id, key) = opened(&gateway, json!({ "refundReceiveAccount": payee(GOOD) })).await;
    for _ in 0..101 {
        let _ = gateway.bank.deposit(&order_id, json!({ "amount": 1, "callback": "lose" })).await;
    }
    let _ = gateway.bank.deposit(&order_id, json!({})).await;
    let is_paid = |read: &Answer| read.text("status") == "DONE";
    let _ = gateway.shop.until(&key, "it is paid", FOUND, is_paid).await;
    let back = "select count(*)::text from operations where kind = 'return_deposit' and status = 'succeeded'";
    let all_back = async || (ask(&gateway, back).await == "101").then_some(());
    eventually("the others went back", FOUND * 2, all_back).await;
    let read = gateway.shop.get(&key).await.expecting(200);
    let listed = read.at("deposits").as_array().map(Vec::len);
    assert_eq!((read.text("status"), listed), ("DONE", Some(100)), "{read:?}");
    assert_eq!(gateway.bank.money(&order_id).await.net, 15_000);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_bank_takes_back_after_it_went_back_is_a_persons() {
    let gateway = Gateway::start().await;
    let (order_id, key, deposit) = paid(&gateway, json!({ "refundReceiveAccount": payee(GOOD) })).await;
    let _ = gateway.shop.cancel_part(&key, 5_000).await.expecting(200);
    let taken = gateway.bank.move_deposit(&deposit, "take-back", json!({ "paidOut": true })).await;
    assert_eq!(taken["result"], "approved", "{taken}");
    let is_gone = |read: &Answer| read.text("moneyState") == "REVERSED";
    let gone = gateway.shop.until(&key, "nothing is held", SOON, is_gone).await;
    assert_eq!((gone.text("status"), gone.text("deposits.0.status")), ("PARTIAL_CANCELED", "taken_back"), "{gone:?}");
    a_person_is_told(&gateway, "books_disagree", "deposit.taken_back").await;
    // No look tells more, so it is over when somebody has seen to it.
    let told = letter(&gateway).await;
    let refused = gateway.operator.replay(&told).await.expecting_problem(409, "INVALID_REQUEST");
    assert_eq!(refused.text("reason"), "NOT_REPLAYABLE");
    let released = gateway.operator.say(&told, "release", &json!({ "operator": "kim", "reason": "x" })).await;
    assert_eq!(released.expecting_problem(409, "INVALID_REQUEST").text("reason"), "NOT_GIVEN_UP");
    let before = gateway.shop.get(&key).await.expecting(200);
    let settled = dealt_with(&gateway, &told).await.expecting(200);
    assert_eq!((settled.text("word"), settled.text("status")), ("settled", "PARTIAL_CANCELED"), "{settled:?}");
    assert!(nothing_is_open(&gateway).await);
    assert_eq!(gateway.shop.get(&key).await.expecting(200).body, before.body, "of the payment nothing changed");
    let again = dealt_with(&gateway, &told).await.expecting_problem(409, "INVALID_REQUEST");
    assert_eq!(again.text("reason"), "NOT_GIVEN_UP");
    let word = gateway.operator.letter(&told).await.expecting(200);
    assert_eq!((word.text("word.operator"), word.text("word.reason")), ("kim", "the bank has paid us"));
    // Nothing more is promised of it.
    let refused = gateway.shop.cancel_part(&key, 1_000).await.expecting_problem(403, "NOT_CANCELABLE_AMOUNT");
    assert_eq!(refused.number("refundableAmount"), 0);
    eventually("its account is closed", SOON, async || {
        (gateway.bank.asked(&order_id, "close").await > 0).then_some(())
    })
    .await;
    gateway.check().await;
}

/// The bank pays it out, and its payer's bank takes it back, before the answer is heard: both have it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_return_that_is_heard_of_after_its_deposit_was_taken_back_is_a_persons() {
    let gateway = Gateway::start().await;
    let (order_id, key) = opened(&gateway, json!({ "refundReceiveAccount": payee(GOOD) })).await;
    let held = gateway.bank.hold(&order_id, "pay_out", "after").await;
    let deposit = gateway.bank.deposit(&order_id, json!({ "amount": 5_000 })).await;
    held.reached().await;
    let deposit = deposit["transactionKey"].as_str().unwrap_or_default();
    let taken = gateway.bank.move_deposit(deposit, "take-back", json!({ "paidOut": true })).await;
    assert_eq!(taken["result"], "approved", "{taken}");
    let is_gone = |read: &Answer| read.at("deposits.0.status") == "taken_back";
    let gone = gateway.shop.until(&key, "it is found to be gone", SOON, is_gone).await;
    assert_ne!(gone.at("deposits.0.returnStatus"), &Value::Null, "its return is under way: {gone:?}");
    assert_eq!(ask(&gateway, "select count(*)::text from cases").await, "0");
    held.release().await;
    let is_heard = |read: &Answer| read.at("deposits.0.returnStatus") == &Value::Null;
    let twice = gateway.shop.until(&key, "its return is heard of", SOON, is_heard).await;
    assert_eq!(
        (twice.text("status"), twice.text("moneyState"), twice.text("deposits.0.status")),
        ("WAITING_FOR_DEPOSIT", "REVERSED", "taken_back"),
        "{twice:?}"
    );
    a_person_is_told(&gateway, "books_disagree", "deposit.returned").await;
    let postings = "select string_agg(kind || ' ' || amount, ', ' order by version) from postings";
    assert_eq!(ask(&gateway, postings).await, "DEPOSIT 5000, DEPOSIT_ERROR 5000, RETURN 5000");
    assert_eq!(ask(&gateway, "select status from operations where kind = 'return_deposit'").await, "succeeded");
    // The bank's books are as ours: a look finds nothing more, and does not open again what somebody has seen to.
    let _ = dealt_with(&gateway, &letter(&gateway).await).await.expecting(200);
    looked_at(&gateway, &order_id).await;
    gateway.check().await;
    assert!(nothing_is_open(&gateway).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pay_out_that_comes_back_is_a_persons() {
    let gateway = Gateway::start().await;
    let (order_id, key, _) = paid(&gateway, json!({})).await;
    let body =
        json!({ "cancelReason": "고객 변심", "cancelAmount": 5_000, "refundReceiveAccount": payee("999000000028") });
    let _ = gateway.shop.cancel_with(&key, &body).await.expecting(200);
    let journal = gateway.bank.journal(&order_id).await;
    let sent = journal.iter().find(|entry| entry["request"] == "pay_out").expect("it was paid out");
    let reference = sent["reference"].as_str().expect("it has a reference");
    for expected in ["approved", "declined"] {
        let answer = gateway.bank.asks_after(reference).await;
        assert_eq!(answer["result"], expected, "{answer}");
    }
    look_now(&gateway).await;
    a_person_is_told(&gateway, "books_disagree", "balance").await;
    // Once.
    looked_at(&gateway, &order_id).await;
    assert_eq!(ask(&gateway, "select count(*)::text from cases").await, "1");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_to_is_kept_for_as_long_as_a_cancel_may_rely_on_it() {
    let gateway = Gateway::start().await;
    let (_, key, _) = paid(&gateway, json!({ "refundReceiveAccount": payee(GOOD) })).await;
    gateway.settled().await;
    // Nobody looks any more, long after it was paid; and something that was never accepted says when it was swept.
    run(&gateway, "delete from account_looks").await;
    run(&gateway, "update sealed_payees set created_at = now() - interval '40 days'").await;
    run(
        &gateway,
        "insert into sealed_payees select gen_random_uuid(), gen_random_uuid(), sealed, created_at from sealed_payees",
    )
    .await;
    let kept = "select count(*)::text from sealed_payees";
    eventually("the other is forgotten", SOON, async || (ask(&gateway, kept).await == "1").then_some(())).await;
    let gone = gateway.shop.cancel(&key).await.expecting(200);
    assert_eq!((gone.text("status"), gone.text("moneyState")), ("CANCELED", "REVERSED"), "{gone:?}");
    run(&gateway, "delete from account_looks").await;
    eventually("it is forgotten, too", SOON * 2, async || (ask(&gateway, kept).await == "0").then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_corrected_while_the_bank_says_no_to_it_is_paid_to() {
    let gateway = Gateway::start().await;
    let (order_id, key) = opened(&gateway, json!({ "refundReceiveAccount": payee(WRONG) })).await;
    let pays_out = json!({ "orderId": order_id, "call": "pay_out" });
    let held = gateway.bank.hold_then(pays_out, "before", json!({ "do": "decline", "code": "14" })).await;
    let _ = gateway.bank.deposit(&order_id, json!({ "amount": 5_000 })).await;
    held.reached().await;
    let _ = gateway.shop.refund_account(&key, &payee(GOOD)).await.expecting(200);
    held.release().await;
    let _ = gateway.shop.until(&key, "it went back", SOON, is_returned).await;
    let paid_to = gateway.bank.paid_to(&order_id).await;
    assert_eq!(paid_to, ["0614", "6789"], "and to whom it was said last");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_keeps_where_it_was_sent_to() {
    let gateway = Gateway::start().await;
    let (order_id, key) = opened(&gateway, json!({ "refundReceiveAccount": payee("110123450001") })).await;
    // It is asked after by the name of what was sent, and found to be unknown there.
    let pays_out = json!({ "orderId": order_id, "call": "pay_out" });
    let held = gateway.bank.hold_then(pays_out, "before", json!("drop_before")).await;
    let _ = gateway.bank.deposit(&order_id, json!({ "amount": 5_000 })).await;
    held.reached().await;
    let _ = gateway.shop.refund_account(&key, &payee(GOOD)).await.expecting(200);
    run(&gateway, "update sealed_payees set created_at = now() - interval '2 minutes'").await;
    held.release().await;
    let _ = gateway.shop.until(&key, "it went back", FOUND, is_returned).await;
    let journal = gateway.bank.journal(&order_id).await;
    let sent: Vec<&Value> = journal.iter().filter(|entry| entry["request"] == "pay_out").collect();
    assert!(sent.iter().all(|entry| entry["reference"] == sent[0]["reference"]), "one name: {sent:?}");
    assert!(gateway.bank.paid_to(&order_id).await.iter().all(|last4| last4 == "0001"), "one receiver: {sent:?}");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_into_an_account_that_was_opened_too_late_goes_back() {
    let gateway = Gateway::start().await;
    let order_id = Payment::of(15_000).order_id;
    let held = gateway.bank.hold(&order_id, "issue", "before").await;
    let asked = gateway.shop.virtual_account(&order_id, 15_000, json!({})).prefer("respond-async").await;
    held.reached().await;
    run(&gateway, "update operations set deadline_at = now()").await;
    let is_over = |read: &Answer| read.text("status") == "ABORTED";
    let _ = gateway.shop.until(asked.payment_key(), "it is given up", FOUND, is_over).await;
    held.release().await;
    let is_open = async || {
        gateway
            .bank
            .journal(&order_id)
            .await
            .iter()
            .any(|entry| entry["request"] == "issue" && entry["result"] == "approved")
            .then_some(())
    };
    eventually("the account is opened all the same", SOON, is_open).await;
    let _ = gateway.bank.deposit(&order_id, json!({ "amount": 5_000 })).await;
    let is_dead = |read: &Answer| read.at("deposits.0.returnStatus") == "dead";
    let _ = gateway.shop.until(asked.payment_key(), "it waits for an account", SOON, is_dead).await;
    let _ = gateway.shop.refund_account(asked.payment_key(), &payee(GOOD)).await.expecting(200);
    let back = gateway.shop.until(asked.payment_key(), "it went back", SOON, is_returned).await;
    assert_eq!((back.text("status"), back.text("moneyState")), ("ABORTED", "REVERSED"), "{back:?}");
    let rows = "select count(*)::text from account_looks";
    eventually("it is closed", FOUND, async || (ask(&gateway, rows).await == "0").then_some(())).await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_deposit_is_a_transaction_of_its_own() {
    let gateway = Gateway::start().await;
    let (order_id, key, deposit) = paid(&gateway, json!({})).await;
    let first = gateway.shop.get(&key).await.expecting(200);
    let _ = gateway.bank.move_deposit(&deposit, "take-back", json!({})).await;
    let waits = |read: &Answer| read.text("status") == "WAITING_FOR_DEPOSIT";
    let _ = gateway.shop.until(&key, "it waits again", SOON, waits).await;
    let _ = gateway.bank.deposit(&order_id, json!({})).await;
    let second = gateway.shop.until_status(&key, "DONE").await;
    assert_ne!(first.at("lastTransactionKey"), second.at("lastTransactionKey"));
    // They are shown when they are ten seconds old.
    let _ = gateway.shop.advance(11).await.expecting(200);
    let (mut amounts, mut keys, mut after) = (Vec::new(), Vec::new(), String::new());
    for _ in 0..5 {
        let query = format!("/v1/transactions?startDate=2020-01-01&endDate=2099-12-31&limit=1{after}");
        let page = gateway.shop.call(Method::GET, &query).await.expecting(200);
        let Some(one) = page.body.get(0) else { break };
        let key = one["transactionKey"].as_str().unwrap_or_default().to_owned();
        after = format!("&startingAfter={key}");
        keys.push(key);
        amounts.push(one["amount"].as_i64().unwrap_or_default());
    }
    assert_eq!(amounts, [15_000, -15_000, 15_000], "{keys:?}");
    assert_eq!((&*keys[0], &*keys[2]), (first.text("lastTransactionKey"), second.text("lastTransactionKey")));
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_that_fail_for_long_are_a_persons_and_what_is_not_there_is_not_looked_at() {
    let gateway = Gateway::start().await;
    let (order_id, key) = opened(&gateway, json!({})).await;
    let garbled = json!({ "match": { "orderId": order_id, "call": "inquire" }, "steps": [{ "do": "malformed" }],
        "then": "repeat_last" });
    gateway.bank.script_whole(garbled).await;
    let _ = gateway.bank.deposit(&order_id, json!({})).await;
    let failures = "select max(failures)::text from account_looks";
    eventually("a look fails", SOON, async || (ask(&gateway, failures).await != "0").then_some(())).await;
    assert_eq!(ask(&gateway, "select count(*)::text from cases").await, "0", "it may pass");
    run(
        &gateway,
        "update account_looks set failures = 9, failing_since = now() - interval '10 minutes', look_at = now()",
    )
    .await;
    a_person_is_told(&gateway, "account_unread", "no_answer").await;
    gateway.bank.clear_scripts().await;
    // Who knows that it is well again has it looked at at once, which closes it.
    let _ = gateway.operator.replay(&letter(&gateway).await).await.expecting(200);
    let _ = gateway.shop.until_status(&key, "DONE").await;
    eventually("nobody is told any more", SOON, async || nothing_is_open(&gateway).await.then_some(())).await;
    assert_eq!(ask(&gateway, failures).await, "0");

    // The bank refused to open one: an account under its name is looked at once, and no more.
    let refused = Payment::of(15_000).order_id;
    let name = json!({ "customerName": "sandbox:decline_05" });
    let _ = gateway.shop.virtual_account(&refused, 15_000, name).await.expecting_problem(400, "PROVIDER_ERROR");
    run(&gateway, "update attempts set sent_at = sent_at - interval '1 hour' where call = 'issue'").await;
    run(
        &gateway,
        "insert into account_looks (reference, payment_id, look_at) select a.reference, o.payment_id, now()
        from attempts a join operations o on o.id = a.operation_id where a.call = 'issue' and o.status = 'failed'",
    )
    .await;
    let rows = "select count(*)::text from account_looks";
    eventually("nobody looks at it any more", SOON, async || (ask(&gateway, rows).await == "1").then_some(())).await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_slow_answer_holds_up_no_other_deposit() {
    let gateway = Gateway::start().await;
    let (slow, slow_key) = opened(&gateway, json!({})).await;
    let (fast, fast_key) = opened(&gateway, json!({})).await;
    let held = gateway.bank.hold(&slow, "inquire", "before").await;
    let _ = gateway.bank.deposit(&slow, json!({})).await;
    held.reached().await;
    let _ = gateway.bank.deposit(&fast, json!({})).await;
    // A look gives up after ten seconds.
    let is_paid = |read: &Answer| read.text("status") == "DONE";
    let _ = gateway.shop.until(&fast_key, "it is paid", Duration::from_secs(6), is_paid).await;
    held.release().await;
    let _ = gateway.shop.until(&slow_key, "the other is, too", FOUND, is_paid).await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_can_not_be_read_is_said_again_and_is_nobody_elses_trouble() {
    let gateway = Gateway::start().await;
    let (order_id, key, _) = paid(&gateway, json!({ "refundReceiveAccount": payee(GOOD) })).await;
    // As with another master secret.
    run(&gateway, "update sealed_payees set sealed = sha256('x') || sha256('y')").await;
    for _ in 0..8 {
        let refused = gateway.shop.cancel_part(&key, 1_000).await.expecting_problem(400, "REFUND_REJECTED");
        assert_eq!((refused.text("reason"), refused.text("moneyState")), ("REFUND_ACCOUNT_LOST", "NOT_MOVED"));
    }
    assert_eq!(gateway.bank.asked(&order_id, "pay_out").await, 0);
    // The bank has done nothing wrong: its breaker is closed.
    let _ = opened(&gateway, json!({})).await;
    let body = json!({ "cancelReason": "고객 변심", "refundReceiveAccount": payee(GOOD) });
    let gone = gateway.shop.cancel_with(&key, &body).await.expecting(200);
    assert_eq!((gone.text("status"), gone.text("moneyState")), ("CANCELED", "REVERSED"), "{gone:?}");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_bank_that_acts_each_time_it_is_asked_nothing_goes_back_twice() {
    let gateway = Gateway::with().workers(2).naive_bank().start().await;
    for effect in ["before", "after"] {
        let (order_id, key) = opened(&gateway, json!({ "refundReceiveAccount": payee(GOOD) })).await;
        let held = gateway.bank.hold(&order_id, "pay_out", effect).await;
        let _ = gateway.bank.deposit(&order_id, json!({ "amount": 5_000 })).await;
        held.reached().await;
        let at_work = "select id from operations where kind = 'return_deposit' and status = 'processing'";
        let operation = sqlx::query_scalar(at_work).fetch_one(gateway.db()).await.expect("it is at work");
        let victim = gateway.owner_of(naru_shared::domain::id::OperationId(operation)).await;
        victim.kill9();
        held.release().await;
        victim.start_again().await;
        let back = gateway.shop.until(&key, "it went back", FOUND, is_returned).await;
        assert_eq!(back.text("moneyState"), "REVERSED", "{back:?}");
        assert_eq!(gateway.bank.money(&order_id).await.refunded, 5_000, "{effect}");
        let _ = gateway.bank.deposit(&order_id, json!({})).await;
        let _ = gateway.shop.until_status(&key, "DONE").await;
        let _ = gateway.shop.cancel_part(&key, 5_000).await.expecting(200);
        assert_eq!(gateway.bank.money(&order_id).await.net, 10_000, "{effect}");
    }
    gateway.check().await;
}
