//! The audit log.

use naru_shared::domain::staff::Role;
use naru_testbed::Gateway;
use reqwest::Method;

use super::number;
use crate::bad_input::{Target, described, send};

/// Whatever changes something in the backoffice is in the audit log, and what was refused is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_in_the_audit_log() {
    let gateway = Gateway::start().await;
    let count = "select count(*) from audit_log";
    let mut changed = 0;
    for call in described(&gateway.shop).await.into_iter().filter(|call| call.is_backoffice()) {
        let target = Target::prepare(&gateway, call.clone()).await;
        let company = target.company().expect("it is the backoffice's").clone();
        let looker = company.person(Role::ReadOnly).await;
        let before = number(&gateway, count).await;
        if call.method == Method::GET {
            let _ = send(target.bare(&gateway)).await.expecting(200);
            assert_eq!(number(&gateway, count).await, before, "{}", call.name());
            continue;
        }
        let refused = looker.request(Method::POST, target.path()).header("content-type", "application/json");
        let refused = send(refused.header("origin", "https://evil.example").body(target.body())).await;
        assert_eq!(
            refused.expecting_problem(403, "FORBIDDEN_REQUEST").text("reason"),
            "FOREIGN_PAGE",
            "{}",
            call.name()
        );
        assert_eq!(number(&gateway, count).await, before, "{} was refused", call.name());
        let answer = send(target.request(&gateway, target.body())).await.expecting(200);
        assert!(number(&gateway, count).await > before, "{} is not in the log", call.name());
        let traced = "select count(*) from audit_log where trace_id = '";
        let traced = number(&gateway, &format!("{traced}{}'", answer.header("naru-trace-id"))).await;
        assert!(traced > 0, "{} is in the log under another trace", call.name());
        changed += 1;
    }
    assert!(changed >= 13, "only {changed} calls change anything?");
    let without = "select count(*) from audit_log where address is distinct from '127.0.0.1' and trace_id !~ '^0+1$'";
    assert_eq!(number(&gateway, without).await, 0, "what came over HTTP has an address");
    let failed = "select count(*) from audit_log where action = 'staff.sign_in_refused'";
    let company = gateway.company().await;
    let _ = company.sign_in("nobody@shop.example", "a password of nobody").await.expecting(401);
    assert_eq!(number(&gateway, failed).await, 1);
}
