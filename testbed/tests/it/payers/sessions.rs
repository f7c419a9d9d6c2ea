//! Who is signed in: for how long, where, and in which world.

use naru_testbed::{Answer, Gateway, Payment};
use serde_json::json;

use super::told;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_session_ends_when_it_should_and_at_once() {
    let gateway = Gateway::with().apis(2).start().await;
    let here = gateway.payer().await;
    let there = here.elsewhere();
    let _ = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = there.sign_in().await.expecting(200);
    let _ = there.me().await.expecting(200);
    // Signing in again is another session, and the browser's old one is over.
    let old = there.cookie();
    let _ = there.sign_in().await.expecting(200);
    let new = there.cookie();
    assert_ne!(old, new);
    there.set_cookie(old);
    let gone = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    assert_eq!(gone.text("reason"), "SIGN_IN_REQUIRED");
    assert!(!gone.header("www-authenticate").contains("Basic"), "no browser may ask for a password: {gone:?}");
    there.set_cookie(new.clone());
    let _ = there.me().await.expecting(200);

    let _ = there.sign_out().await.expecting(200);
    assert_eq!(there.cookie(), None);
    there.set_cookie(new);
    let _ = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = here.me().await.expecting(200);

    let _ = there.sign_in().await.expecting(200);
    assert_eq!(here.sign_out_everywhere().await.expecting(200).number("sessions"), 2);
    let _ = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");

    // Another password ends every session but the one it was changed in.
    let _ = (here.sign_in().await.expecting(200), there.sign_in().await.expecting(200));
    let before = here.cookie();
    let wrong = here.change_password("another horse battery", "a better horse battery").await;
    assert_eq!(wrong.expecting_problem(403, "INVALID_PASSWORD").text("reason"), "CURRENT_PASSWORD_WRONG");
    let _ = here.change_password(&here.password, "a better horse battery").await.expecting(200);
    let _ = here.me().await.expecting(200);
    let _ = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    here.set_cookie(before);
    let _ = here.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = there.sign_in().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = there.sign_in_with("a better horse battery").await.expecting(200);

    // By the database's clock.
    let idle = "update payer_sessions set seen_at = seen_at - interval '31 minutes'";
    sqlx::query(idle).execute(gateway.db()).await.expect("Postgres answers");
    let _ = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookies_are_for_one_host_over_tls_and_for_no_script() {
    let gateway = Gateway::with().environment("NARU_INSECURE_COOKIES", "false").start().await;
    let account = gateway.stranger("test");
    let set = account.sign_up().await.expecting(200);
    let cookie = set.header("set-cookie");
    assert!(cookie.starts_with("__Host-naru_payer="), "{cookie}");
    for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{attribute} in {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let token = cookie.split(['=', ';']).nth(1).unwrap_or_default();
    assert!(token.len() >= 43, "256 bits: {cookie}");
    // What Postgres keeps opens nothing.
    let kept: Vec<u8> =
        sqlx::query_scalar("select token_hash from payer_sessions").fetch_one(gateway.db()).await.expect("one");
    assert_eq!(kept.len(), 32);
    assert!(!kept.windows(8).any(|part| token.as_bytes().windows(8).any(|other| other == part)));
    for (name, status) in [("naru_payer", 401), ("__Host-naru_payer", 200)] {
        account.set_cookie(Some(format!("{name}={token}")));
        assert_eq!(account.me().await.status, status, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_and_live_know_nothing_of_one_another() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let card = payer.keeps("approve").await;
    let mut live = payer.elsewhere();
    "live".clone_into(&mut live.mode);
    let _ = live.sign_in().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = live.sign_up().await.expecting(200);
    assert_eq!(live.cards().await.expecting(200).at("data"), &json!([]));
    let live_card = live.keeps("approve").await;
    let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let none = json!({ "checkout": { "url": "https://x/co_nobodys" } });
    let none = Answer { body: none, ..created.clone() };
    let theirs = live.authenticate(&created, &live_card).await.expecting_problem(404, "NOT_FOUND_PAYMENT_SESSION");
    assert_eq!(told(&theirs), told(&live.authenticate(&none, &live_card).await), "as if it were not there");
    let _ = live.forget(&card).await.expecting_problem(404, "NOT_FOUND");
    let _ = payer.authenticate(&created, &live_card).await.expecting_problem(404, "NOT_FOUND");
    let _ = payer.authenticate(&created, &card).await.expecting(200);
    let _ = live.look(&created).await.expecting_problem(404, "NOT_FOUND_PAYMENT");
}
