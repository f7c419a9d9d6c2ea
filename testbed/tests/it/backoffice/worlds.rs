//! What is apart: `test` and `live`, and one merchant and another.

use naru_shared::api_key::KeyKind;
use naru_shared::domain::id::Mode;
use naru_shared::domain::staff::Role;
use naru_testbed::{Company, Gateway, Payment};
use serde_json::{Value, json};

use super::with_key;

/// Everything of one world, asked for from the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_and_live_never_meet() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    let worlds = [(Mode::Test, "test", "live"), (Mode::Live, "live", "test")];
    let mut keys = Vec::new();
    for (mode, name, _) in worlds {
        company.origin(mode, &format!("https://{name}.example")).await;
        company.origin(mode, "https://shop.example").await;
        keys.push(company.key(mode, KeyKind::Secret).await);
    }
    for (n, (_, own, foreign)) in worlds.into_iter().enumerate() {
        let (mine, other) = (&keys[n], &keys[1 - n]);
        // What the backoffice shows and does names its world, and finds nothing of the other.
        for list in ["keys", "origins"] {
            let listed = owner.get(&format!("{own}/{list}")).await.expecting(200);
            assert!(!listed.text.contains(foreign) && !listed.text.contains(&other.id), "{own}: {listed:?}");
        }
        for (path, body) in [
            (format!("{own}/keys/{}/revoke", other.id), json!({})),
            (format!("{own}/keys/{}/roll", other.id), json!({ "overlapHours": 1 })),
            (format!("{own}/origins/remove"), json!({ "origin": format!("https://{foreign}.example") })),
        ] {
            let _ = owner.post(&path, &body).await.expecting_problem(404, "NOT_FOUND");
        }
        let issued = owner.post(&format!("{own}/keys"), &json!({ "kind": "secret" })).await.expecting(200);
        assert!(issued.text("apiKey").starts_with(&format!("{own}_sk_naru_")), "{issued:?}");

        // A payment of this world is nothing to a key of the other.
        let (here, there) = (with_key(&gateway, &mine.key), with_key(&gateway, &other.key));
        let order = Payment::of(12_000);
        let created = here.authenticated(&order).await;
        let key = created.payment_key();
        let _ = here.get(key).await.expecting(200);
        for refused in [
            there.get(key).await,
            there.get_order(&order.order_id).await,
            there.events(key).await,
            there.confirm(key, &order.order_id, 12_000).await,
        ] {
            let _ = refused.expecting_problem(404, "NOT_FOUND_PAYMENT");
        }
        assert!(!there.list("limit=100").await.expecting(200).text.contains(key));
        assert!(here.list("limit=100").await.expecting(200).text.contains(key));
        // The same order is another one there, and the world of a key can't be talked out of it.
        let _ = there.create(&order).await.expecting(200);
        let renamed = with_key(&gateway, &mine.key.replacen(own, foreign, 1));
        assert_eq!(renamed.list("limit=1").await.text("reason"), "KEY_MALFORMED");
    }
}

/// One merchant's people are nothing to another's, whatever ids they know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_merchant_is_there() {
    let gateway = Gateway::start().await;
    let ours: Company = gateway.company().await;
    let owner = ours.person(Role::Owner).await;
    let theirs = gateway.company().await;
    let their_owner = theirs.person(Role::Owner).await;
    let _ = theirs.person(Role::Owner).await;
    let key = theirs.key(Mode::Test, KeyKind::Secret).await;
    let (invitation, _) = theirs.invite("kim@shop.example").await;
    theirs.origin(Mode::Test, "https://theirs.example").await;
    let nobody = uuid::Uuid::nil().to_string();
    for (path, id, body) in [
        ("staff/{}/role", their_owner.id.to_string(), json!({ "role": "staff" })),
        ("staff/{}/remove", their_owner.id.to_string(), json!({})),
        ("invitations/{}/withdraw", invitation, json!({})),
        ("test/keys/{}/roll", key.id.clone(), json!({ "overlapHours": 0 })),
        ("test/keys/{}/revoke", key.id.clone(), json!({})),
    ] {
        let [real, none] = [&id, &nobody].map(|id| owner.post(&path.replace("{}", id), &body));
        let [real, none] = [real.await, none.await].map(|answer| {
            let mut body = answer.expecting_problem(404, "NOT_FOUND").body;
            (body["traceId"], body["instance"]) = (Value::Null, Value::Null);
            body
        });
        assert_eq!(real, none, "{path}");
    }
    let _ = owner.post("test/origins/remove", &json!({ "origin": "https://theirs.example" })).await.expecting(404);
    for path in ["staff", "invitations", "test/keys", "test/origins", "me"] {
        let listed = owner.get(path).await.expecting(200);
        for foreign in [&theirs.mid, &key.id, &their_owner.email, "theirs.example", "kim@"] {
            assert!(!listed.text.contains(foreign), "{path}: {listed:?}");
        }
    }
    // The same address may be invited by both: neither learns of the other.
    let _ = owner.post("invitations", &json!({ "email": "kim@shop.example", "role": "staff" })).await.expecting(200);
    let _ = owner.post("invitations", &json!({ "email": their_owner.email, "role": "staff" })).await.expecting(200);
}
