//! Card data is nowhere, in whatever way it came in and whatever became of it.

use naru_testbed::{Gateway, Payment, canary};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_card_data_is_kept_or_said_anywhere() {
    let gateway = Gateway::with().own_servers().start().await;
    let mut answers = Vec::new();
    for card in ["approve", "decline_51", "refuse_token_14", "error_twice", "drop_after", "wrong_amount"] {
        let payment = Payment::of(12_000).card(card).with("cardPassword", "48");
        answers.push(gateway.shop.key_in(&payment).idempotency_key(card).await);
        answers.push(gateway.shop.key_in(&payment).idempotency_key(card).await);
    }
    // What is refused is not echoed either.
    answers.push(gateway.shop.key_in(&Payment::of(-1)).await);
    answers.push(gateway.shop.key_in(&Payment::of(12_000).card_number("4242424242424241")).await);
    let payment = Payment::of(12_000);
    let created = gateway.shop.authenticated(&payment).await;
    answers.push(gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await);
    answers.push(gateway.shop.events(created.payment_key()).await);
    let mut stream = gateway.shop.stream(created.payment_key()).await;
    stream.until_status("DONE", std::time::Duration::from_secs(10)).await;
    gateway.check().await;

    for answer in &answers {
        let found = canary::found_in(answer.text.as_bytes());
        assert!(found.is_empty(), "{found:?} in {answer:?}");
    }
    for seen in stream.seen() {
        let found = canary::found_in(seen.data.to_string().as_bytes());
        assert!(found.is_empty(), "{found:?} in {seen:?}");
    }
    let postgres = gateway.own.postgres().home().to_owned();
    assert!(canary::occurs_under(&postgres, &payment.order_id), "these are the files that the order is in");
    let mut found = canary::found_in_database(gateway.db()).await;
    found.extend(canary::found_under(gateway.folder()));
    // Postgres' files and its log of what is to be written, RabbitMQ's queues, Redis' home.
    for home in gateway.own.homes() {
        found.extend(canary::found_under(&home));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
