//! Messages that nobody of ours sent: archived to the byte, and never in the way.

use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use naru_testbed::{Gateway, Payment, eventually};
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);
const QUEUE: &str = "work.pay.card";

/// Each kind of poison, with the reason that its letter names.
fn poisons() -> Vec<(&'static str, Vec<u8>)> {
    let nobody = "00000000-0000-7000-8000-000000000000";
    let unknown = json!({ "v": 1, "operation": nobody, "attempt": 0, "dueAt": 0, "waited": 0 }).to_string();
    let newer = json!({ "v": 2, "operation": nobody }).to_string();
    vec![
        ("not_utf8", vec![b'{', 0xff, 0xfe, b'}']),
        ("unknown_version", newer.into_bytes()),
        ("not_json", b"hello".to_vec()),
        ("not_json", Vec::new()),
        ("bad_field", json!({ "v": 1, "operation": "order-1" }).to_string().into_bytes()),
        ("too_large", vec![b'x'; 5_000_000]),
        ("unknown_operation", unknown.into_bytes()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_is_archived_and_blocks_nothing() {
    let gateway = Gateway::with().apis(0).start().await;
    let connection =
        Connection::connect(gateway.amqp_url(), ConnectionProperties::default()).await.expect("it connects");
    let channel = connection.create_channel().await.expect("it opens a channel");
    for (_, body) in poisons() {
        for _ in 0..3 {
            let properties = BasicProperties::default().with_delivery_mode(2);
            let sent = channel.basic_publish(
                "naru.work".into(),
                QUEUE.into(),
                BasicPublishOptions::default(),
                &body,
                properties,
            );
            drop(sent.await.expect("it publishes"));
        }
    }
    let payment = Payment::of(12_000);
    let accepted = gateway.accept(&payment).await;
    gateway.until_standing(&accepted, "DONE", "MOVED", SOON).await;
    for (reason, body) in poisons() {
        let letter = "select kind from dead_letters where reason = $1 and body = $2 and queue = $3";
        let kind = eventually(reason, SOON, async || {
            let query = sqlx::query_scalar::<_, String>(letter).bind(reason).bind(&body).bind(QUEUE);
            query.fetch_optional(gateway.db()).await.expect("Postgres answers")
        })
        .await;
        assert_eq!(kind, "poison", "{reason}");
    }
    gateway.check().await;
}

/// What Postgres can't store in headers, or refuses for whatever reason, must not hold up the letters behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_cannot_be_stored_hold_up_nothing() {
    let gateway = Gateway::with().apis(0).start().await;
    let refuses = "alter table dead_letters add constraint refuses check (headers ->> 'refused' is null)";
    sqlx::query(refuses).execute(gateway.db()).await.expect("Postgres answers");
    let connection =
        Connection::connect(gateway.amqp_url(), ConnectionProperties::default()).await.expect("it connects");
    let channel = connection.create_channel().await.expect("it opens a channel");
    let text = |text: &str| AMQPValue::LongString(text.into());
    let letters = [
        ("naru.work", QUEUE, "nul", vec![("a\0name", text("a\0value"))]),
        ("", "dead", "nul in the queue", vec![("naru-reason", text("r\0")), ("naru-from-queue", text("q\0"))]),
        ("", "dead", "refused", vec![("refused", text("yes"))]),
        ("naru.work", QUEUE, "after all of them", vec![]),
    ];
    for (exchange, key, body, headers) in letters {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert(name.into(), value);
        }
        let properties = BasicProperties::default().with_delivery_mode(2).with_headers(table);
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties);
        drop(sent.await.expect("it publishes"));
    }
    for (body, queue, header) in [
        ("nul", Some(QUEUE), ("a\u{fffd}name", "a\u{fffd}value")),
        ("nul in the queue", Some("q\u{fffd}"), ("naru-reason", "r\u{fffd}")),
        ("refused", None, ("naru", "Postgres refused the headers")),
        ("after all of them", Some(QUEUE), ("none", "")),
    ] {
        let letter = "select queue, coalesce(headers ->> $2, '') from dead_letters where body = $1 and kind = 'poison'";
        let found: (Option<String>, String) = eventually(body, SOON, async || {
            let query = sqlx::query_as(letter).bind(body.as_bytes()).bind(header.0);
            query.fetch_optional(gateway.db()).await.expect("Postgres answers")
        })
        .await;
        assert_eq!((found.0.as_deref(), found.1.as_str()), (queue, header.1), "{body}");
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_reads_what_died() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000).card("net_cancel_refused");
    let accepted = gateway.shop.key_in(&payment).prefer("respond-async").await.expecting(202);
    let letter = eventually("a letter asks for a person", SOON, async || {
        let letters = gateway.operator.letters().await.expecting(200);
        let found = letters.text.contains(accepted.payment_key()) && letters.text.contains("needs_person");
        found.then_some(letters)
    })
    .await;
    let of_ours = |letter: &&serde_json::Value| letter["paymentKey"] == accepted.payment_key();
    let listed = letter.body.as_object().and_then(|body| body.values().find_map(|value| value.as_array()));
    let id = listed.and_then(|letters| letters.iter().find(of_ours)?["id"].as_str()).expect("it is listed").to_owned();
    let shown = gateway.operator.letter(&id).await.expecting(200);
    assert!(shown.text.contains("net_cancel"), "the attempts are shown: {shown:?}");
    eventually("it is among the stuck", SOON, async || {
        gateway.operator.stuck().await.expecting(200).text.contains(accepted.payment_key()).then_some(())
    })
    .await;
    assert_eq!(gateway.operator.anonymous(reqwest::Method::GET, "/ops/v1/dead-letters").await.status, 401);

    // The card company changes its mind, and the operator sends it back to work.
    gateway.bank.script(&payment.order_id, "net_cancel", json!([{ "do": "approve" }])).await;
    let replayed = gateway.operator.replay(&id).await;
    assert!((200..300).contains(&replayed.status), "{replayed:?}");
    eventually("it went back", SOON, async || {
        let read = gateway.shop.get(accepted.payment_key()).await;
        (read.text("status") == "ABORTED" && read.text("moneyState") == "REVERSED").then_some(())
    })
    .await;
    gateway.bank.expect(&payment.order_id).charged_then_reversed().await;
    let story = gateway.operator.payment(accepted.payment_key()).await.expecting(200);
    assert_eq!(story.body["payment"]["status"], "ABORTED", "{story:?}");
    let attempts = story.body["operations"][0]["attempts"].as_array().expect("its attempts are shown");
    assert!(attempts.iter().any(|attempt| attempt["call"] == "net_cancel" && attempt["answer"] == "reversed"));
    let id = story.body["operations"][0]["id"].as_str().expect("an operation has an id");
    assert_eq!(gateway.operator.payment(id).await.expecting(200).body, story.body, "logs name the operation");
    let last = story.body["timeline"].as_array().and_then(|timeline| timeline.last()).expect("its timeline is shown");
    assert_eq!((&last["status"], &last["moneyState"]), (&"ABORTED".into(), &"REVERSED".into()), "{story:?}");
    gateway.check().await;
}
