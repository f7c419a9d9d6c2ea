//! Finding what nobody came for.

use naru_shared::domain::operation::{Connector, OperationKind, OperationStatus, Urgency};

use crate::house::{House, outcome, unknown};

#[tokio::test]
async fn a_nudge_is_pushed_further_each_time() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let due = "update operations set nudge_at = now()";
    for seconds in ["5", "10", "20", "40", "80", "160", "300", "300"] {
        house.run(due).await;
        let swept = house.store.sweep(Connector::Card, Urgency::Pay, 10).await.unwrap();
        assert_eq!(swept.iter().map(|hint| hint.operation).collect::<Vec<_>>(), [sold.operation]);
        let pushed = "select round(extract(epoch from nudge_at - now())) from operations";
        assert_eq!(house.ask(pushed).await, seconds);
        assert_eq!(house.store.sweep(Connector::Card, Urgency::Pay, 10).await.unwrap(), [], "not twice");
    }
    house.leave().await;
}

#[tokio::test]
async fn every_row_waits_for_one_queue_only() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let unheard = house.sells().await;
    let claimed = house.claims(house.worker, unheard.operation).await.unwrap();
    house.store.record_batch(&[outcome(&claimed, &unknown())]).await.unwrap();
    house.run("update operations set nudge_at = now()").await;
    for (urgency, operation) in
        [(Urgency::Pay, Some(sold.operation)), (Urgency::Back, None), (Urgency::Recover, Some(unheard.operation))]
    {
        let overdue = house.store.overdue(Connector::Card, urgency).await.unwrap();
        assert_eq!(overdue, i64::from(operation.is_some()), "{urgency:?}");
        let swept = house.store.sweep(Connector::Card, urgency, 10).await.unwrap();
        assert_eq!(swept.iter().map(|hint| hint.operation).collect::<Vec<_>>(), Vec::from_iter(operation));
        assert!(swept.iter().all(|hint| hint.urgency == urgency), "its hint goes to the queue it was counted for");
    }
    house.leave().await;
}

/// Counted for one queue and sent to another, a backlog would be sent again and again.
#[tokio::test]
async fn every_kind_of_work_is_counted_for_the_queue_that_its_hint_goes_to() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let open = [OperationStatus::Queued, OperationStatus::Waiting, OperationStatus::Unknown];
    let each = OperationKind::ALL.iter().flat_map(|kind| open.map(|status| (*kind, status)));
    for (kind, status) in each {
        let of_another = [OperationKind::NetCancel, OperationKind::CloseAccount, OperationKind::ReturnDeposit];
        let target = if of_another.contains(&kind) { "'r'" } else { "null" };
        let unknown = if status == OperationStatus::Unknown { "now()" } else { "null" };
        let words = (kind.as_str(), status.as_str());
        house
            .run(format!(
                "update operations set kind = '{}', status = '{}', target_reference = {target}, unknown_since = {unknown},
                    nudge_at = now() where id = '{}'",
                words.0, words.1, sold.operation
            ))
            .await;
        for urgency in [Urgency::Pay, Urgency::Back, Urgency::Recover] {
            let overdue = house.store.overdue(Connector::Card, urgency).await.unwrap();
            assert_eq!(
                overdue == 1,
                urgency == naru_shared::domain::operation::urgency(kind, status),
                "{words:?} {urgency:?}"
            );
        }
    }
    house.leave().await;
}

#[tokio::test]
async fn sweepers_side_by_side_take_each_row_once() {
    let house = House::enter().await;
    for _ in 0..30 {
        house.sells().await;
    }
    house.run("update operations set nudge_at = now()").await;
    let sweeps = (0..6).map(|_| house.store.sweep(Connector::Card, Urgency::Pay, 10));
    let swept: usize = futures::future::join_all(sweeps).await.into_iter().map(|rows| rows.unwrap().len()).sum();
    let rest = house.store.sweep(Connector::Card, Urgency::Pay, 100).await.unwrap().len();
    assert_eq!(swept + rest, 30);
    house.leave().await;
}

#[tokio::test]
async fn the_orphans_of_a_dead_worker_are_found_at_once_and_told_of_once() {
    let house = House::enter().await;
    let (sold, other) = (house.sells().await, house.sells().await);
    house.claims(house.worker, sold.operation).await.unwrap();
    let living = house.another_worker().await;
    house.claims(living, other.operation).await.unwrap();
    assert_eq!(house.store.orphans(10).await.unwrap(), []);
    house.store.end_lease(house.worker).await.unwrap();
    let orphans = house.store.orphans(10).await.unwrap();
    assert_eq!(
        orphans.iter().map(|hint| (hint.operation, hint.urgency)).collect::<Vec<_>>(),
        [(sold.operation, Urgency::Recover)]
    );
    assert_eq!(house.store.orphans(10).await.unwrap(), []);
    assert!(house.claims(living, sold.operation).await.is_some());
    house.leave().await;
}
