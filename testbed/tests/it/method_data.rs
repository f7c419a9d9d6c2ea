//! Numbers of accounts, phones and members, codes, passwords, birthdays and names go to bank, carrier and issuer, and nowhere
//! else: not to a table, its files or its log of changes, not to a message, a log line or an answer.

use naru_testbed::canary::{Finder, forms_of, tables};
use naru_testbed::{Answer, Gateway, Means, Payment};
use serde_json::json;

/// Each occurs nowhere else.
const ACCOUNT: &str = "3520148796135";
const PHONE: &str = "01083467192";
const MEMBER: &str = "7719035284610937";
const PASSWORD: &str = "915347";
const IDENTITY: &str = "6402938175";
const BIRTH: &str = "831927";
const HOLDER: &str = "황보빛나래온";
const WRONG_CODE: &str = "648213";
const LONG: &str = "84610293756102938475";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_payer_types_is_kept_or_told() {
    let gateway = Gateway::with().own_servers().environment("NARU_LOG", "trace").start().await;
    let mut seen: Vec<Answer> = Vec::new();
    let transfer =
        Means::transfer("approve").number(ACCOUNT).with("holderName", HOLDER).with("identityNumber", IDENTITY);
    let phone = Means::mobile("approve").number(PHONE).with("birthDate", BIRTH);
    let points = Means::points("approve").number(MEMBER).with("password", PASSWORD);
    for means in [&transfer, &phone, &points] {
        let payment = Payment::of(12_000);
        let created = gateway.shop.create(&payment).await.expecting(200);
        let payer = gateway.shop.payer_of(&created);
        if means.method() == "MOBILE_PHONE" {
            let sent = payer.verify_phone(&means.phone_body()).await.expecting(200);
            let wrong =
                json!({ "method": "MOBILE_PHONE", "verificationId": sent.text("verificationId"), "code": WRONG_CODE });
            seen.push(payer.authenticate_with(&wrong).await.expecting_problem(403, "INVALID_PASSWORD"));
            seen.push(
                payer.authenticate_with(&means.authenticate_body(sent.text("verificationId"))).await.expecting(200),
            );
            seen.push(sent);
        } else {
            seen.push(payer.pay_with(means).await.expecting(200));
        }
        seen.push(gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await.expecting(200));
        seen.push(payer.look().await);
        seen.push(gateway.shop.events(created.payment_key()).await);
        seen.push(gateway.operator.payment(created.payment_key()).await);
        seen.push(gateway.shop.cancel(created.payment_key()).await.expecting(200));
    }
    // What is refused: by us, by them, and because they are away.
    let refused = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let payer = gateway.shop.payer_of(&refused);
    for body in [
        transfer.clone().with("accountNumber", LONG).authenticate_body(""),
        transfer.clone().with("bank", ACCOUNT).authenticate_body(""),
        transfer.clone().with("method", ACCOUNT).authenticate_body(""),
        transfer.clone().with(ACCOUNT, LONG).authenticate_body(""),
        points.clone().with("memberNumber", LONG).authenticate_body(""),
        points.clone().with("memberNumber", json!([MEMBER])).authenticate_body(""),
        json!({ "method": "MOBILE_PHONE", "verificationId": PHONE, "code": LONG }),
    ] {
        let answer = payer.authenticate_with(&body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        // Whoever calls a field by a number is told which field: that is no place for one.
        if body.get(ACCOUNT).is_none() {
            seen.push(answer);
        }
    }
    seen.push(payer.verify_phone(&phone.clone().with("carrier", PHONE).phone_body()).await.expecting(400));
    gateway.settled().await;
    gateway.simulator.kill9();
    for means in [&transfer, &points] {
        seen.push(payer.pay_with(means).await.expecting(503));
    }
    seen.push(payer.verify_phone(&phone.phone_body()).await.expecting(503));

    let found = look_everywhere(&gateway, &seen).await;
    assert!(found.is_empty(), "what payers typed was found:\n{}", found.join("\n"));
}

async fn look_everywhere(gateway: &Gateway, seen: &[Answer]) -> Vec<String> {
    let secrets = [("account", ACCOUNT), ("phone", PHONE), ("member", MEMBER), ("identity", IDENTITY), ("long", LONG)];
    let mut needles: Vec<_> = secrets.iter().flat_map(|(name, digits)| forms_of(name, digits)).collect();
    // Too short for all their forms, which would occur by chance.
    for (name, short) in [("password", PASSWORD), ("birthday", BIRTH), ("code", WRONG_CODE)] {
        needles.extend(
            [format!("\"{short}\""), format!("\\\"{short}\\\""), format!("({short}")]
                .map(|form| (name.to_owned(), form.into_bytes())),
        );
    }
    needles.push(("holder".into(), HOLDER.as_bytes().to_vec()));
    let finder = Finder::of(needles);
    let mut found = Vec::new();
    for answer in seen {
        let told = format!("{}\n{answer:?}", answer.text);
        found.extend(finder.found_in(told.as_bytes()).into_iter().map(|what| format!("an answer: {what}\n{answer:?}")));
    }
    for (table, rows) in tables(gateway.db()).await {
        found.extend(finder.found_in(rows.as_bytes()).into_iter().map(|what| format!("{table}: {what}")));
    }
    found.extend(finder.found_under(gateway.folder()));
    let _ = sqlx::query("checkpoint").execute(gateway.db()).await;
    let known =
        Finder::of(vec![("queues".into(), b"work.pay.transfer".into()), ("orders".into(), b"a pair of socks".into())]);
    let mut known_in = 0;
    for home in gateway.own.homes() {
        known_in += usize::from(!known.found_under(&home).is_empty());
        found.extend(finder.found_under(&home));
    }
    assert!(known_in >= 2, "the files of Postgres and RabbitMQ can be read");
    assert_eq!(
        finder.found_in(format!("{{\"code\":\"{WRONG_CODE}\"}} {ACCOUNT} {HOLDER}").as_bytes()).len(),
        3,
        "what is there is found"
    );
    found.sort();
    found.dedup();
    found
}
