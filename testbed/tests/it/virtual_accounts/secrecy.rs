//! The numbers that money goes back to.

use naru_testbed::canary::{Finder, forms_of, tables};
use naru_testbed::{Gateway, eventually};
use serde_json::json;

use super::{SOON, opened, order, until_deposits};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_that_money_goes_back_to_rests_anywhere() {
    let gateway = Gateway::with().own_servers().environment("NARU_LOG", "trace").start().await;
    let order_id = order();
    let number = "77665544332211";
    let account = json!({ "bank": "88", "accountNumber": number, "holderName": "홍길동" });
    let key = opened(&gateway, &order_id, json!({ "refundReceiveAccount": account })).await.payment_key().to_owned();
    let finder = Finder::of(forms_of("account", number));
    // However it is written: bytes are shown as hex, and files of tables, of the log of changes and of queues are not text.
    let found = async || {
        let mut found = finder.found_under(gateway.folder());
        for (table, rows) in tables(gateway.db()).await {
            found.extend(finder.found_in(rows.as_bytes()).into_iter().map(|what| format!("{table}: {what}")));
        }
        let _ = sqlx::query("checkpoint").execute(gateway.db()).await;
        let known = Finder::of(vec![("order".into(), order_id.clone().into_bytes())]);
        let mut known_in = 0;
        for home in gateway.own.homes() {
            known_in += usize::from(!known.found_under(&home).is_empty());
            found.extend(finder.found_under(&home));
        }
        assert!(known_in >= 1, "files of the servers can be read");
        found
    };
    let unsealed = format!("select sha256('x') || convert_to('{{\"number\":\"{number}\"}}', 'utf8')");
    let unsealed: Vec<u8> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(unsealed)).fetch_one(gateway.db()).await.expect("Postgres answers");
    let as_shown: String = unsealed.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(finder.found_in(as_shown.as_bytes()).len(), 1, "what is not sealed is found");
    assert_eq!(found().await, Vec::<String>::new());
    let sealed = async || {
        let sealed: i64 = sqlx::query_scalar("select count(*) from sealed_payees")
            .fetch_one(gateway.db())
            .await
            .expect("Postgres answers");
        sealed
    };
    assert_eq!(sealed().await, 1, "it rests sealed while it may be needed");
    let _ = gateway.bank.deposit(&order_id, json!({ "amount": 5_000 })).await;
    let _ = until_deposits(&gateway, &key, &[("returned", "short")]).await;
    let _ = gateway
        .shop
        .cancel_with(&key, &json!({ "cancelReason": "고객 변심", "refundReceiveAccount": account }))
        .await
        .expecting(200);
    assert_eq!(found().await, Vec::<String>::new());
    // Nothing is owed any more, and a minute later nothing is kept.
    sqlx::query("update sealed_payees set created_at = now() - interval '2 minutes'")
        .execute(gateway.db())
        .await
        .expect("Postgres answers");
    sqlx::query("update account_looks set look_at = now()").execute(gateway.db()).await.expect("Postgres answers");
    eventually("it is forgotten", SOON * 2, async || (sealed().await == 0).then_some(())).await;
    gateway.check().await;
}
