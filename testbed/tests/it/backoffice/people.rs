//! Who works for a merchant: invited, given a role, removed.

use std::collections::BTreeSet;

use naru_shared::domain::staff::Role;
use naru_testbed::{Answer, Desk, Gateway};
use serde_json::json;

use super::number;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_invites_somebody_who_signs_in_and_does_what_the_role_allows() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    let invited =
        owner.post("invitations", &json!({ "email": "Kim@Shop.Example", "role": "staff" })).await.expecting(200);
    let token = invited.text("token").to_owned();
    assert!(token.starts_with("naru_invitation_") && token.len() == 59, "{invited:?}");
    let listed = owner.get("invitations").await.expecting(200);
    assert_eq!((listed.text("data.0.email"), listed.text("data.0.role")), ("kim@shop.example", "staff"));
    assert!(!listed.text.contains(&token), "a token is shown once: {listed:?}");

    let nobody = company.empty_desk();
    let accept = |password: &str| json!({ "token": token, "name": "김나루", "password": password });
    for (weak, why) in [("elevenchars", "12"), ("Password1234", "first"), (&"x1y".repeat(43), "128")] {
        let refused = nobody.post("invitations/accept", &accept(weak)).await.expecting_problem(400, "INVALID_REQUEST");
        assert_eq!(refused.text("errors.0.field"), "password");
        assert!(refused.text("errors.0.reason").contains(why), "{refused:?}");
    }
    let password = "열두 글자가 넘는 비밀번호";
    let joined = nobody.post("invitations/accept", &accept(password)).await.expecting(200);
    assert_eq!(
        (joined.text("email"), joined.text("role"), joined.text("mid")),
        ("kim@shop.example", "staff", &*company.mid)
    );
    let again = nobody.post("invitations/accept", &accept(password)).await.expecting_problem(404, "NOT_FOUND");
    assert_eq!(again.text("reason"), "INVITATION_INVALID");
    let taken = owner.post("invitations", &json!({ "email": "kim@shop.example", "role": "owner" })).await;
    assert_eq!(taken.expecting_problem(409, "INVALID_REQUEST").text("reason"), "EMAIL_TAKEN");

    let signed_in = company.sign_in("KIM@shop.example", password).await.expecting(200);
    let set_cookie = signed_in.header("set-cookie");
    for part in ["naru_staff=", "; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=43200"] {
        assert!(set_cookie.contains(part), "{part}: {set_cookie}");
    }
    assert!(!set_cookie.contains("Domain"), "{set_cookie}");
    let kim = nobody.with_cookie(set_cookie);
    let me = kim.get("me").await.expecting(200);
    assert_eq!(
        (me.text("email"), me.text("role"), me.text("merchant.mid")),
        ("kim@shop.example", "staff", &*company.mid)
    );
    assert_eq!(me.at("may"), &json!(["look", "change-test-origins", "change-test-keys"]));

    // What `may` says is what is so.
    let origin = json!({ "origin": "https://kim.example" });
    let _ = kim.post("test/origins", &origin).await.expecting(200);
    let _ = kim.post("test/keys", &json!({ "kind": "secret" })).await.expecting(200);
    for (path, body) in [
        ("live/origins", origin),
        ("live/keys", json!({ "kind": "secret" })),
        ("merchant", json!({ "name": "Kim's" })),
        ("invitations", json!({ "email": "lee@shop.example", "role": "owner" })),
        (&*format!("staff/{}/remove", owner.id), json!({})),
        (&*format!("staff/{}/role", kim_id(&me)), json!({ "role": "owner" })),
    ] {
        let refused = kim.post(path, &body).await.expecting_problem(403, "FORBIDDEN_REQUEST");
        assert_eq!(refused.text("reason"), "ROLE_NOT_ALLOWED", "{path}");
    }
    // Another role holds from the next request on, in the session that is open.
    let _ = owner.post(&format!("staff/{}/role", kim_id(&me)), &json!({ "role": "read-only" })).await.expecting(200);
    let refused = kim.post("test/keys", &json!({ "kind": "secret" })).await.expecting_problem(403, "FORBIDDEN_REQUEST");
    assert_eq!(refused.text("reason"), "ROLE_NOT_ALLOWED");
    assert_eq!(kim.get("me").await.text("role"), "read-only");
    // Whoever is removed is out at once.
    let left = owner.post(&format!("staff/{}/remove", kim_id(&me)), &json!({})).await.expecting(200);
    assert_eq!(left.at("data").as_array().map(Vec::len), Some(1), "{left:?}");
    assert_eq!(kim.get("me").await.expecting_problem(401, "UNAUTHORIZED_KEY").text("reason"), "SIGN_IN_REQUIRED");
    let _ = company.sign_in("kim@shop.example", password).await.expecting_problem(401, "UNAUTHORIZED_KEY");
}

fn kim_id(me: &Answer) -> String {
    me.text("id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_owner_stays_one() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let [owner, other] = [company.person(Role::Owner).await, company.person(Role::Owner).await];
    let _ = company.person(Role::Staff).await;
    let remove = |who: &Desk| format!("staff/{}/remove", who.id);
    let role = |who: &Desk| format!("staff/{}/role", who.id);
    let (one, two) = (remove(&owner), remove(&other));
    let (by_one, by_other) =
        (async { owner.post(&two, &json!({})).await }, async { other.post(&one, &json!({})).await });
    let (by_one, by_other) = tokio::join!(by_one, by_other);
    // One was faster. The other was removed by then, when the call came or when it had its turn.
    let statuses = BTreeSet::from([by_one.status, by_other.status]);
    assert!(
        statuses.contains(&200) && (statuses.contains(&401) || statuses.contains(&403)),
        "{by_one:?}\n{by_other:?}"
    );
    let last = if by_one.status == 200 { &owner } else { &other };
    for refused in
        [last.post(&remove(last), &json!({})).await, last.post(&role(last), &json!({ "role": "staff" })).await]
    {
        assert_eq!(refused.expecting_problem(409, "FORBIDDEN_REQUEST").text("reason"), "LAST_OWNER");
    }
    let _ = last.get("me").await.expecting(200);
    let owners = "select count(*) from staff where role = 'owner' and removed_at is null";
    assert_eq!(number(&gateway, owners).await, 1);
}
