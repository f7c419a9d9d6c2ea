//! Accepting: everything in one statement, or nothing.

use naru_shared::domain::id::PaymentId;
use naru_shared::domain::operation::APPROVE_WITHIN;
use naru_shared::domain::payment::{MoneyState, PaymentSource, PaymentState, PaymentStatus};
use naru_shared::store::Started;
use uuid::Uuid;

use crate::house::{House, approved, key, outcome};

#[tokio::test]
async fn one_statement_and_one_commit_for_payment_event_operation_and_key() {
    let house = House::enter().await;
    let sold = house.try_sell("order-1", Some(&key("k"))).await.unwrap();
    let wrote = house
        .ask(
            "select count(distinct x) || ' transaction' from (select xmin::text as x from payments union all
            select xmin::text from payment_events union all select tx::text from payment_events union all
            select xmin::text from operations union all select xmin::text from idempotency_keys) t",
        )
        .await;
    assert_eq!(wrote, "1 transaction");

    let payment = house.payment(sold.payment).await;
    assert_eq!((payment.version, payment.operation_count), (1, 1));
    assert_eq!((payment.state.status(), payment.state.money_state), (PaymentStatus::InProgress, MoneyState::Unknown));
    let operation = house.store.operation(sold.operation).await.unwrap().unwrap();
    assert_eq!(operation.deadline_at - operation.created_at, APPROVE_WITHIN);
    let used = house.store.find_key(house.tenant, &key("k").route, "k").await.unwrap().unwrap();
    assert_eq!((used.payment, used.started), (sold.payment, Started::Operation(sold.operation)));
    assert_eq!(house.store.events_after(sold.payment, 0, 10).await.unwrap().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn an_order_has_one_living_payment_and_a_key_one_use() {
    let house = House::enter().await;
    let first = house.try_sell("order-1", Some(&key("k"))).await.unwrap();
    let twice = house.try_sell("order-1", None).await.unwrap_err();
    assert!(twice.is_constraint("payments_one_per_order"), "{twice}");
    let reused = house.try_sell("order-2", Some(&key("k"))).await.unwrap_err();
    assert!(reused.is_constraint("idempotency_keys_unique"), "{reused}");
    assert_eq!(house.ask("select count(*) from payments").await, "1", "what was refused left nothing");

    // Once the first came to nothing, the order is free again.
    let claimed = house.claims(house.worker, first.operation).await.unwrap();
    let declined =
        naru_shared::domain::attempt::ApproveAnswer::Declined(naru_shared::domain::failure::Failure::declined(
            naru_shared::domain::failure::FailureCode::RejectCardPayment,
            "51",
        ));
    house.store.record_batch(&[outcome(&claimed, &declined)]).await.unwrap();
    let second = house.try_sell("order-1", None).await.unwrap();
    let claimed = house.claims(house.worker, second.operation).await.unwrap();
    house.store.record_batch(&[outcome(&claimed, &approved())]).await.unwrap();
    assert!(house.try_sell("order-1", None).await.unwrap_err().is_constraint("payments_one_per_order"));
    house.leave().await;
}

#[tokio::test]
async fn a_merchant_s_own_deadline_counts_when_it_is_sooner() {
    let house = House::enter().await;
    for (before, seconds) in [(60, "60"), (600, "180")] {
        let id = PaymentId(Uuid::now_v7());
        let sold = crate::house::Sold { payment: id, operation: naru_shared::domain::id::OperationId(Uuid::now_v7()) };
        let now: time::OffsetDateTime = sqlx::query_scalar("select now()").fetch_one(&house.sql).await.unwrap();
        let mut operation = sold.new_operation();
        operation.before = Some(now + time::Duration::seconds(before));
        let state = PaymentState::key_in(crate::house::card(), sold.work());
        let order = format!("order-{before}");
        house.create(id, &order, PaymentSource::KeyIn, &state, Some(operation), None).await.unwrap();
        let within = house
            .ask(format!(
                "select round(extract(epoch from deadline_at - created_at)) from operations where id = '{}'",
                sold.operation
            ))
            .await;
        assert_eq!(within, seconds);
    }
    house.leave().await;
}
