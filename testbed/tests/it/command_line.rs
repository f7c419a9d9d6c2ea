//! `naru pay` and `naru dead`: what they print, and how they end.

use std::time::Duration;

use naru_testbed::{Gateway, Payment, cards, eventually};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_made_and_watched() {
    let gateway = Gateway::start().await;
    // What came before the stream was open is in its snapshot.
    for (arguments, words, last) in [
        (vec!["pay"], vec!["paymentKey naru_", "snapshot"], "DONE (MOVED)"),
        (
            vec!["pay", "--checkout", "--amount", "4300"],
            vec!["created ", "/checkout/", "authenticated  next: https://shop.example/success"],
            "DONE (MOVED)",
        ),
        (vec!["pay", "--lost"], vec!["DONE"], "DONE (MOVED)"),
        (vec!["pay", "--slow"], vec!["IN_PROGRESS", "payment.done"], "DONE (MOVED)"),
        (vec!["pay", "--decline"], vec!["REJECT_CARD_COMPANY"], "ABORTED (NOT_MOVED)"),
        (
            vec!["pay", "--checkout", "--card", cards::number("decline_51")],
            vec!["REJECT_CARD_PAYMENT"],
            "ABORTED (NOT_MOVED)",
        ),
    ] {
        let ended = gateway.command_line(&arguments).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}: {ended:?}");
        for word in words {
            assert!(ended.stdout.contains(word), "{arguments:?} says {word:?}: {ended:?}");
        }
        assert_eq!(ended.stdout.lines().last(), Some(last), "{arguments:?}: {ended:?}");
    }
    let amounts = "select total_amount from payments order by created_at limit 2";
    let amounts: Vec<i64> = sqlx::query_scalar(amounts).fetch_all(gateway.db()).await.expect("Postgres answers");
    assert_eq!(amounts, [15_000, 4_300]);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payer_signs_in_and_pays_with_a_stored_card() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let without = gateway.command_line_of(&payer, &["pay", "--payer"]).await;
    assert_eq!(without.code, Some(1), "{without:?}");
    assert!(without.stderr.contains("the payer keeps no card"), "{without:?}");
    let _ = payer.keeps("approve").await;
    let ended = gateway.command_line_of(&payer, &["pay", "--payer"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    for word in [
        "created ",
        &format!("signed in      {}", payer.email),
        "pays with      424242******4242",
        "authenticated  next: ",
    ] {
        assert!(ended.stdout.contains(word), "{word:?}: {ended:?}");
    }
    assert_eq!(ended.stdout.lines().last(), Some("DONE (MOVED)"), "{ended:?}");
    assert_eq!(payer.history("limit=1").await.expecting(200).text("data.0.status"), "DONE");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_said_in_a_line_and_ends_with_1() {
    let gateway = Gateway::start().await;
    for (arguments, without, words) in [
        (
            vec!["pay", "--amount", "1"],
            "",
            vec!["naru: 400 BELOW_MINIMUM_AMOUNT", "moneyState: NOT_MOVED", "traceId: "],
        ),
        (
            vec!["pay", "--card", "4242424242424241"],
            "",
            vec!["naru: 400 INVALID_CARD_NUMBER", "cardNumber has a wrong check digit"],
        ),
        (vec!["pay", "--card", cards::number("refuse_token_54")], "", vec!["naru: 400 INVALID_CARD_EXPIRATION"]),
        (vec!["pay"], "NARU_SECRET_KEY", vec!["naru: NARU_SECRET_KEY is not set"]),
        (vec!["dead"], "NARU_OPS_TOKEN", vec!["naru: NARU_OPS_TOKEN is not set"]),
        (vec!["payment", "naru_nobodys"], "", vec!["naru: 404 NOT_FOUND"]),
        (vec!["dead", "--show", "0198f2a0-0000-7000-8000-000000000000"], "", vec!["naru: 404 NOT_FOUND"]),
        (vec!["dead", "--replay", "0198f2a0-0000-7000-8000-000000000000"], "", vec!["naru: 404 NOT_FOUND"]),
        (
            vec!["dead", "--settle", "0198f2a0-0000-7000-8000-000000000000", "--operator", "kim", "--reason", "x"],
            "",
            vec!["naru: 404 NOT_FOUND"],
        ),
        (
            vec!["dead", "--release", "0198f2a0-0000-7000-8000-000000000000", "--operator", " ", "--reason", "x"],
            "",
            vec!["naru: 400 INVALID_REQUEST", "operator must be one line"],
        ),
    ] {
        let ended = gateway.command_line_without(without, &arguments).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{arguments:?}: {ended:?}");
        for word in words {
            assert!(ended.stderr.contains(word), "{arguments:?} says {word:?}: {ended:?}");
        }
    }
    // What is no command at all is told by the parser of arguments.
    assert_eq!(gateway.command_line(&["pay", "--decline", "--lost"]).await.code, Some(2));
    let unsaid = ["dead", "--settle", "0198f2a0-0000-7000-8000-000000000000", "--operator", "kim"];
    assert_eq!(gateway.command_line(&unsaid).await.code, Some(2), "why?");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_are_listed_shown_and_sent_back_to_work() {
    let gateway = Gateway::start().await;
    let none = gateway.command_line(&["dead"]).await;
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), "0 dead letters\n0 stuck payments\n"), "{none:?}");

    let payment = Payment::of(12_000).card("net_cancel_refused");
    let key = gateway.shop.begin(&payment).await;
    let id = eventually("there is a letter", SOON, async || {
        let letters = gateway.operator.letters().await.expecting(200);
        letters.at("data")[0]["id"].as_str().map(str::to_owned)
    })
    .await;
    // Not stuck for the moment in which a worker has it in hand.
    let listed = eventually("it is stuck", SOON, async || {
        let listed = gateway.command_line(&["dead"]).await;
        assert_eq!(listed.code, Some(0), "{listed:?}");
        listed.stdout.contains("\n1 stuck payments\n").then_some(listed)
    })
    .await;
    assert!(listed.stdout.starts_with("1 dead letters\n"), "{listed:?}");
    let row = listed.stdout.lines().find(|line| line.contains(&id)).unwrap_or_default();
    assert!(row.contains("needs_person") && row.contains(&key), "{listed:?}");
    let others = gateway.command_line(&["dead", "--kind", "poison"]).await;
    assert!(others.stdout.starts_with("0 dead letters\n"), "{others:?}");

    let shown = gateway.command_line(&["dead", "--show", &id]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let letter: Value = serde_json::from_str(&shown.stdout).expect("it is shown as JSON");
    assert_eq!(letter["letter"]["id"], id.as_str());
    assert!(letter["attempts"].as_array().is_some_and(|attempts| attempts.len() >= 2), "{letter}");

    let whole = gateway.command_line(&["payment", &key]).await;
    assert_eq!(whole.code, Some(0), "{whole:?}");
    assert!(whole.stdout.contains(&key) && whole.stdout.contains("net_cancel"), "{whole:?}");

    // Refused while a worker has it in hand, which is never for long.
    let replayed = eventually("it is sent back to work", SOON, async || {
        let replayed = gateway.command_line(&["dead", "--replay", &id]).await;
        (replayed.code == Some(0)).then_some(replayed)
    })
    .await;
    assert_eq!(replayed.stdout, "sent back to work\n", "{replayed:?}");
    let replays = "select replay_count from dead_letters where id = $1::uuid";
    let replays: i32 = sqlx::query_scalar(replays).bind(&id).fetch_one(gateway.db()).await.expect("Postgres answers");
    assert_eq!(replays, 1);
    gateway.settled_within(SOON).await;
    gateway.check_now().await;
}
