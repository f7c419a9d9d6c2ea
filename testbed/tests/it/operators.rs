//! What is given up, and what operators do about it: every earlier reference is asked about before anything is sent again, and
//! an operator's word is booked as the acquirer's would be. Through HTTP, against the card company's books.

use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Answer, Gateway, Payment, checker, eventually};
use serde_json::{Value, json};

/// What is not in trouble.
const SOON: Duration = Duration::from_secs(15);
/// Until "not found" is believed, and longer than that card company promised.
const BELIEVED_LIMIT: Duration = Duration::from_secs(60);

/// Has an order paid, and returns its key.
async fn paid(gateway: &Gateway, payment: &Payment) -> String {
    gateway.shop.key_in(payment).await.expecting(200).payment_key().to_owned()
}

/// How the payment stands, when it stands so.
async fn until(gateway: &Gateway, key: &str, what: &str, patience: Duration, is: impl Fn(&Answer) -> bool) -> Answer {
    let found = eventually(what, patience, async || {
        let read = gateway.shop.get(key).await.expecting(200);
        is(&read).then_some(read)
    });
    found.await
}

/// The letter about a payment that is open.
async fn letter(gateway: &Gateway, key: &str) -> Value {
    let found = eventually("there is a letter", SOON, async || {
        let letters = gateway.operator.letters().await.expecting(200);
        let mut rows = letters.at("data").as_array().cloned().unwrap_or_default().into_iter();
        rows.find(|letter| letter["paymentKey"] == key && letter["operationStatus"] == "dead")
    });
    found.await
}

/// The letter about a payment that is open, when it is another than this.
async fn open_letter(gateway: &Gateway, key: &str, before: &Value) -> Value {
    let found = eventually("there is another letter", SOON, async || {
        let letters = gateway.operator.letters().await.expecting(200);
        let mut rows = letters.at("data").as_array().cloned().unwrap_or_default().into_iter();
        rows.find(|letter| letter["paymentKey"] == key && letter["id"] != before["id"])
    });
    found.await
}

fn id(letter: &Value) -> &str {
    letter["id"].as_str().expect("a letter has an id")
}

/// A payment with a cancel that the card company says it had made already, though nobody had asked it to.
async fn disputed(gateway: &Gateway, payment: &Payment, amount: i64) -> String {
    let key = paid(gateway, payment).await;
    let refusal = json!([{ "do": "decline", "code": "57", "reason": "already_cancelled" }]);
    gateway.bank.script(&payment.order_id, "cancel", refusal).await;
    let cancel = gateway.shop.cancel_part(&key, amount).idempotency_key(&format!("cancel-{key}"));
    let _ = cancel.prefer("respond-async").await.expecting(202);
    until(gateway, &key, "it is given up", SOON, |read| read.text("operation.status") == "dead").await;
    key
}

fn kim(reason: &str, transaction_key: Option<&str>) -> Value {
    json!({ "operator": "kim", "reason": reason, "transactionKey": transaction_key })
}

/// What the operators' API answers to a word about this letter.
async fn say(gateway: &Gateway, letter: &Value, verb: &str, word: Value) -> Answer {
    gateway.operator.say(id(letter), verb, &word).await
}

async fn violations(gateway: &Gateway) -> Vec<String> {
    let journal = std::fs::read_to_string(gateway.journal()).expect("the journal can be read");
    checker::violations(gateway.db(), &journal, true).await
}

/// A card company that acts each time it is asked, and whose inquiries lag for longer than it promised: "not found" was believed
/// of what it had done.
async fn believed_too_soon(gateway: &Gateway, payment: &Payment, lag_ms: u64) -> String {
    let key = paid(gateway, payment).await;
    let lost = json!([{ "do": "lag", "ms": lag_ms, "then": "drop_after" }]);
    gateway.bank.script(&payment.order_id, "cancel", lost).await;
    key
}

/// It says "already cancelled" to the next try, and then shows that it was the first one of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn already_cancelled_may_have_been_an_earlier_reference_of_ours() {
    let gateway = Gateway::with().naive_bank().settle_window(Duration::from_secs(1)).start().await;
    let payment = Payment::of(10_000);
    let key = believed_too_soon(&gateway, &payment, 15_000).await;
    let _ = gateway.shop.cancel(&key).prefer("respond-async").await.expecting(202);
    eventually("the first one is done", SOON, async || {
        (gateway.bank.money(&payment.order_id).await.voided == 10_000).then_some(())
    })
    .await;
    let second = gateway.bank.hold(&payment.order_id, "cancel", "after").await;
    second.reached().await;
    eventually("the first one is seen", SOON, async || {
        let attempt = "select reference from attempts where call = 'cancel' order by sent_at limit 1";
        let first: String = sqlx::query_scalar(attempt).fetch_one(gateway.db()).await.expect("Postgres answers");
        let journal = gateway.bank.journal(&payment.order_id).await;
        let done = journal.iter().find(|entry| entry["reference"] == first.as_str() && entry["effect"] == "voided");
        let at = done.and_then(|entry| entry["at"].as_str()).expect("it was done").to_owned();
        let at = time::OffsetDateTime::parse(&at, &time::format_description::well_known::Rfc3339).expect("a time");
        (System.now() > at + Duration::from_secs(15)).then_some(())
    })
    .await;
    second.release().await;
    let done = until(&gateway, &key, "it is cancelled", SOON, |read| read.text("status") == "CANCELED").await;
    assert_eq!((done.text("moneyState"), done.text("cancels.0.cancelStatus")), ("REVERSED", "DONE"));
    assert_eq!(gateway.bank.money(&payment.order_id).await.voided, 10_000, "once");
    let resolutions = "select string_agg(resolution, ' ' order by sent_at) from attempts where call = 'cancel'";
    let resolutions: String = sqlx::query_scalar(resolutions).fetch_one(gateway.db()).await.expect("Postgres answers");
    assert_eq!(resolutions, "approved declined");
    gateway.check().await;
}

/// Where even that does not show, it is given up, and nobody says where the money is. A replay asks about every reference first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_asks_about_every_earlier_reference() {
    let gateway = Gateway::with().naive_bank().settle_window(Duration::from_secs(1)).start().await;
    let payment = Payment::of(10_000);
    let key = believed_too_soon(&gateway, &payment, 22_000).await;
    let _ = gateway.shop.cancel(&key).prefer("respond-async").await.expecting(202);
    let is_dead = |read: &Answer| read.text("operation.status") == "dead";
    let dead = until(&gateway, &key, "it is given up", BELIEVED_LIMIT, is_dead).await;
    assert_eq!((dead.text("status"), dead.text("moneyState")), ("DONE", "UNKNOWN"), "whose books are right?");
    let first = letter(&gateway, &key).await;
    assert_eq!((&first["kind"], &first["reason"]), (&json!("needs_person"), &json!("BOOKS_DISAGREE")));
    // Sent back too soon it is refused once more, and nothing is done twice.
    eventually("it is found out", BELIEVED_LIMIT, async || {
        let read = gateway.shop.get(&key).await.expecting(200);
        if is_dead(&read) {
            let letter = letter(&gateway, &key).await;
            let _ = gateway.operator.replay(id(&letter)).await;
        }
        (read.text("status") == "CANCELED").then_some(())
    })
    .await;
    assert_eq!(gateway.bank.money(&payment.order_id).await.voided, 10_000, "once");
    gateway.check().await;
}

/// The card company's people did it by hand: an operator says so, with its transaction, and it is as if it had answered so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_by_hand_is_booked() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = disputed(&gateway, &payment, 4_000).await;
    let read = gateway.shop.get(&key).await.expecting(200);
    assert_eq!((read.text("status"), read.text("moneyState")), ("DONE", "UNKNOWN"), "{read:?}");
    let letter = letter(&gateway, &key).await;
    let transaction = gateway.bank.acts_by_itself(&payment.order_id, "cancels", 4_000).await;
    assert!(!violations(&gateway).await.is_empty(), "it is not in our books");

    for (word, field) in [
        (json!({ "operator": " ", "reason": "x" }), "operator"),
        (json!({ "operator": "kim", "reason": "" }), "reason"),
        (json!({ "operator": "kim", "reason": "x".repeat(501) }), "reason"),
        (kim("x", Some("")), "transactionKey"),
        (json!({ "operator": "kim", "reason": "x", "amount": 1 }), "amount"),
        (json!({ "reason": "x" }), "operator"),
    ] {
        let refused = say(&gateway, &letter, "settle", word).await.expecting_problem(400, "INVALID_REQUEST");
        assert!(refused.text.contains(field), "{field}: {refused:?}");
    }
    let refused =
        say(&gateway, &letter, "release", kim("x", Some("T-1"))).await.expecting_problem(400, "INVALID_REQUEST");
    assert!(refused.text.contains("transactionKey"), "{refused:?}");
    assert_eq!(gateway.shop.get(&key).await.expecting(200).body, read.body, "nothing of that changed anything");

    let booked = say(&gateway, &letter, "settle", kim("they did it by hand", Some(&transaction))).await.expecting(200);
    let told = (booked.text("word"), booked.text("status"), booked.text("moneyState"));
    assert_eq!(told, ("settled", "PARTIAL_CANCELED", "MOVED"));
    let done = gateway.shop.get(&key).await.expecting(200);
    assert_eq!((done.text("cancels.0.cancelStatus"), done.number("balanceAmount")), ("DONE", 6_000), "{done:?}");
    let events = gateway.shop.events(&key).await.expecting(200);
    let last = events.at("data").as_array().and_then(|events| events.last()).cloned().unwrap_or_default();
    assert_eq!(last["type"], "cancel.done");
    let again = gateway.shop.cancel_part(&key, 4_000).idempotency_key(&format!("cancel-{key}")).await.expecting(200);
    assert_eq!(again.text("cancels.0.cancelStatus"), "DONE", "its key tells how it ended");
    // Once is enough, and one transaction stands for one cancel.
    for verb in ["settle", "release"] {
        let refused = say(&gateway, &letter, verb, kim("again", None)).await.expecting_problem(409, "INVALID_REQUEST");
        assert_eq!(refused.text("reason"), "NOT_GIVEN_UP");
    }
    assert_eq!(gateway.operator.replay(id(&letter)).await.text("reason"), "NOT_REPLAYABLE");
    let open = gateway.operator.letters().await.expecting(200);
    assert_eq!(open.at("data"), &json!([]), "its letter is done with");
    let shown = gateway.operator.letter(id(&letter)).await.expecting(200);
    assert_eq!((shown.text("word.operator"), shown.text("word.transactionKey")), ("kim", transaction.as_str()));
    let log = "select action || ' ' || (subject = operation_id::text) from audit_log, operator_words";
    let log: String = sqlx::query_scalar(log).fetch_one(gateway.db()).await.expect("there is a row");
    assert_eq!(log, "operation.settled true");
    gateway.check().await;

    let other = disputed(&gateway, &Payment::of(10_000), 4_000).await;
    let letter = self::letter(&gateway, &other).await;
    let taken = say(&gateway, &letter, "settle", kim("x", Some(&transaction))).await;
    assert_eq!(taken.expecting_problem(409, "INVALID_REQUEST").text("reason"), "TRANSACTION_TAKEN");
    let _ = say(&gateway, &letter, "release", kim("it never was", None)).await.expecting(200);
    gateway.check().await;
}

/// Nothing was done, and nothing will be: what was reserved can be asked for again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_going_to_be_done_is_released() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = disputed(&gateway, &payment, 4_000).await;
    let left = gateway.shop.cancel_part(&key, 6_001).await.expecting_problem(403, "NOT_CANCELABLE_AMOUNT");
    assert_eq!(left.number("refundableAmount"), 6_000);
    let letter = letter(&gateway, &key).await;
    let word = ["--operator", "kim", "--reason", "their mistake"];
    let said = gateway.command_line(&[&["dead", "--release", id(&letter)], &word[..]].concat()).await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), "released: DONE (MOVED)\n"), "{said:?}");
    let refused = gateway.shop.cancel_part(&key, 4_000).idempotency_key(&format!("cancel-{key}")).await;
    let refused = refused.expecting_problem(400, "REFUND_REJECTED");
    assert_eq!((refused.text("reason"), refused.text("moneyState")), ("RELEASED_BY_OPERATOR", "NOT_MOVED"));
    let read = gateway.shop.get(&key).await.expecting(200);
    assert_eq!((read.text("cancels.0.cancelStatus"), read.text("moneyState")), ("ABORTED", "MOVED"));
    let _ = gateway.shop.cancel(&key).await.expecting(200);
    let whole = gateway.command_line(&["payment", &key]).await;
    assert!(whole.stdout.contains("cancel.aborted"), "{whole:?}");
    gateway.check().await;
}

/// A card company that says each time it is asked that it gave back another amount: nobody can find out more, and what comes after
/// waits until a person has spoken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_for_another_amount_is_ended_by_a_person() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    for call in ["cancel", "inquire"] {
        let other = json!({ "match": { "orderId": payment.order_id, "call": call },
            "steps": [{ "do": "wrong_amount", "by": 10 }], "then": "repeat_last" });
        gateway.bank.script_whole(other).await;
    }
    let _ = gateway.shop.cancel_part(&key, 4_000).prefer("respond-async").await.expecting(202);
    let letter = eventually("there is a letter", SOON, async || {
        let letters = gateway.operator.letters().await.expecting(200);
        let mut rows = letters.at("data").as_array().cloned().unwrap_or_default().into_iter();
        rows.find(|letter| letter["paymentKey"] == key.as_str() && letter["reason"] == "AMOUNT_MISMATCH")
    })
    .await;
    let behind = gateway.shop.cancel_part(&key, 1_000).prefer("respond-async").await.expecting(202);
    assert_eq!(behind.text("cancels.1.cancelStatus"), "IN_PROGRESS");
    let journal = gateway.bank.journal(&payment.order_id).await;
    let made = journal.iter().find(|entry| entry["request"] == "cancel").expect("it was made");
    let transaction = made["reference"].as_str().expect("it has a reference");
    // The card company has put it right.
    gateway.bank.clear_scripts().await;
    let settled = eventually("nobody asks at the moment", SOON, async || {
        let said = say(&gateway, &letter, "settle", kim("they put it right", Some(transaction))).await;
        (said.status == 200).then_some(said)
    })
    .await;
    assert_eq!(settled.expecting(200).text("word"), "settled");
    let open = "select count(*) from cases where closed_at is null";
    let open: i64 = sqlx::query_scalar(open).fetch_one(gateway.db()).await.expect("Postgres answers");
    assert_eq!(open, 0, "its case is over, too");
    let is_over = |read: &Answer| read.text("cancels.1.cancelStatus") == "DONE";
    let over = until(&gateway, &key, "what waited is done", SOON, is_over).await;
    assert_eq!((over.text("cancels.0.cancelStatus"), over.number("balanceAmount")), ("DONE", 5_000), "{over:?}");
    gateway.check().await;
}

/// Where the money was given back otherwise there is no transaction; their word is all there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_transaction_the_word_stands_for_itself() {
    let gateway = Gateway::start().await;
    let key = disputed(&gateway, &Payment::of(10_000), 10_000).await;
    let letter = letter(&gateway, &key).await;
    let word = ["--operator", "kim", "--reason", "the shop gave it back in cash"];
    let said = gateway.command_line(&[&["dead", "--settle", id(&letter)], &word[..]].concat()).await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), "settled: CANCELED (REVERSED)\n"), "{said:?}");
    gateway.check().await;
}

/// What an operator says that is not so, the checker finds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_untrue_word_is_found() {
    let gateway = Gateway::start().await;
    let key = disputed(&gateway, &Payment::of(10_000), 4_000).await;
    let letter = letter(&gateway, &key).await;
    assert_eq!(violations(&gateway).await, [""; 0]);
    let _ = say(&gateway, &letter, "settle", kim("so they say", Some("T-none"))).await.expecting(200);
    let found = violations(&gateway).await.join("\n");
    for invariant in ["I3: no record without a charge", "I4: ", "I5: ", "moneyState agrees"] {
        assert!(found.contains(invariant), "{invariant}: {found}");
    }

    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = disputed(&gateway, &payment, 4_000).await;
    let letter = self::letter(&gateway, &key).await;
    let _ = say(&gateway, &letter, "release", kim("it never was", None)).await.expecting(200);
    gateway.bank.acts_by_itself(&payment.order_id, "cancels", 4_000).await;
    let found = violations(&gateway).await.join("\n");
    for invariant in ["I2: no charge without a record", "I4: ", "I5: ", "moneyState agrees"] {
        assert!(found.contains(invariant), "{invariant}: {found}");
    }
}

/// A deposit that goes back is paid back by hand. It is owed to somebody, so nobody says that it is not. What the bank still holds
/// of it is found by the look that follows, until the bank is settled with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_that_was_returned_by_hand_is_booked() {
    let gateway = Gateway::start().await;
    let order_id = Payment::of(15_000).order_id;
    let key = gateway.shop.virtual_account(&order_id, 15_000, json!({})).await.expecting(200).payment_key().to_owned();
    gateway.bank.deposit(&order_id, json!({ "amount": 9_000 })).await;
    let letter = letter(&gateway, &key).await;
    assert_eq!((&letter["reason"], &letter["operationKind"]), (&json!("PAYEE_MISSING"), &json!("return_deposit")));
    let by_hand = || kim("by transfer from our own account", None);
    assert_eq!(
        say(&gateway, &letter, "release", by_hand()).await.expecting_problem(409, "INVALID_REQUEST").text("reason"),
        "NOT_GIVEN_UP"
    );
    let later = "update account_looks set look_at = now() + interval '1 hour'";
    let _ = sqlx::query(later).execute(gateway.db()).await.expect("Postgres answers");
    let booked = say(&gateway, &letter, "settle", by_hand()).await.expecting(200);
    assert_eq!((booked.text("status"), booked.text("moneyState")), ("WAITING_FOR_DEPOSIT", "REVERSED"));
    let told = open_letter(&gateway, &key, &letter).await;
    assert_eq!((&told["operationKind"], &told["reason"]), (&json!("issue_account"), &json!("BOOKS_DISAGREE")));
    let cases = "select string_agg(kind || ' ' || (detail ->> 'why') || ' ' || (closed_at is null), ', ') from cases";
    let cases = async || {
        let cases: String = sqlx::query_scalar(cases).fetch_one(gateway.db()).await.expect("there is one");
        cases
    };
    assert_eq!(cases().await, "books_disagree balance true", "the bank has 9,000 that are nobody's");
    let read = gateway.shop.get(&key).await.expecting(200);
    assert_eq!((read.text("moneyState"), read.text("deposits.0.status")), ("REVERSED", "returned"), "{read:?}");
    gateway.check().await;
    // Whoever says too soon that they have settled it with the bank is told again.
    let _ = say(&gateway, &told, "settle", kim("the bank says that it has paid us", None)).await.expecting(200);
    let _ = open_letter(&gateway, &key, &told).await;
    assert_eq!(cases().await, "books_disagree balance true");
    gateway.check().await;
}

/// An approval comes to light that nobody wants, and the card company will not reverse it: that is a person's, and the payment goes
/// its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reversal_that_does_not_end_holds_up_nothing() {
    let gateway = Gateway::with().workers(2).naive_bank().start().await;
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let accepted = gateway.accept(&payment).await;
    held.reached().await;
    let zombie = gateway.owner_of(accepted.operation).await;
    zombie.freeze();
    // Whoever takes it over finds nothing, believes it in time, and has it approved under another reference.
    gateway.until_standing(&accepted, "DONE", "MOVED", BELIEVED_LIMIT).await;
    let refuse = json!({ "match": { "orderId": payment.order_id, "call": "net_cancel" },
        "steps": [{ "do": "refuse" }], "then": "repeat_last" });
    gateway.bank.script_whole(refuse).await;
    held.release().await;
    zombie.thaw();
    let key = &accepted.payment_key;
    until(&gateway, key, "the reversal is refused", SOON, |read| read.text("operation.type") == "net_cancel").await;
    let part = gateway.shop.cancel_part(key, 4_000).await.expecting(200);
    assert_eq!(part.text("cancels.0.cancelStatus"), "DONE");
    let captured = gateway.shop.capture(key).await.expecting(200);
    assert_eq!((captured.text("card.acquireStatus"), captured.text("moneyState")), ("COMPLETED", "UNKNOWN"));
    assert_eq!(captured.text("operation.type"), "net_cancel", "it still goes on");
    let letter = eventually("there is a letter", SOON, async || {
        let letters = gateway.operator.letters().await.expecting(200);
        let letter = letters.at("data").as_array().into_iter().flatten().find(|letter| letter["paymentKey"] == **key);
        letter.map(|letter| (id(letter).to_owned(), letter["reason"].clone()))
    })
    .await;
    assert_eq!(letter.1, "NET_CANCEL_REFUSED");
    // It would be asked about by itself, too: not for an hour.
    let later =
        "update operations set due_at = now() + interval '1 hour' where kind = 'net_cancel' and status = 'unknown'";
    eventually("nobody asks at the moment", SOON, async || {
        let moved = sqlx::query(later).execute(gateway.db()).await.expect("Postgres answers");
        (moved.rows_affected() == 1).then_some(())
    })
    .await;
    gateway.bank.clear_scripts().await;
    eventually("it is asked again at once", SOON, async || {
        (gateway.operator.replay(&letter.0).await.status == 200).then_some(())
    })
    .await;
    gateway.until_standing(&accepted, "PARTIAL_CANCELED", "MOVED", SOON).await;
    gateway.check().await;
}
