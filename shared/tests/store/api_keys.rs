//! A merchant's API keys: each is one, of one world, and what was ended stays ended.

use std::time::Duration;

use naru_shared::api_key::KeyKind;
use naru_shared::domain::id::{ApiKeyId, Mode, Tenant};
use naru_shared::store::{Actor, ApiKeyRow, FreshKey, KeyUsed, NewApiKey, StoreError};
use uuid::Uuid;

use crate::house::{House, TRACE};

const NOBODY: Actor<'static> = Actor { staff: None, address: None, trace_id: TRACE };

fn new(tenant: Tenant, hash: u8) -> NewApiKey<'static> {
    NewApiKey { id: Uuid::now_v7(), tenant, kind: KeyKind::Secret, hash: [hash; 32], hint: "test_sk_naru_abcd…" }
}

async fn issue(house: &House, key: &NewApiKey<'_>) -> ApiKeyRow {
    match house.store.issue_api_key(key, &NOBODY).await.unwrap() {
        FreshKey::Made(row) => row,
        other @ (FreshKey::NoneToRoll | FreshKey::TooMany) => panic!("{other:?}"),
    }
}

async fn opens(house: &House, hash: u8) -> bool {
    house.store.find_principal(&[hash; 32]).await.unwrap().is_some()
}

#[tokio::test]
async fn no_key_is_written_down_twice() {
    let house = House::enter().await;
    issue(&house, &new(house.tenant, 1)).await;
    let twice = house.store.issue_api_key(&new(house.tenant, 1), &NOBODY).await.unwrap_err();
    assert!(
        matches!(&twice, StoreError::Constraint { constraint } if constraint == "api_keys_hash_unique"),
        "{twice:?}"
    );
    let logged = house.ask("select count(*) from audit_log").await;
    assert_eq!(logged, "1", "what was not done is not in the log");
    house.leave().await;
}

#[tokio::test]
async fn a_rolled_key_works_until_its_time_and_no_longer() {
    let house = House::enter().await;
    let old = issue(&house, &new(house.tenant, 1)).await;
    let rolled = house.store.roll_api_key(old.id, 24, &new(house.tenant, 2), &NOBODY).await.unwrap();
    assert!(matches!(rolled, FreshKey::Made(_)));
    assert!(opens(&house, 1).await && opens(&house, 2).await);
    // A second roll can only bring the end nearer.
    house.store.roll_api_key(old.id, 168, &new(house.tenant, 3), &NOBODY).await.unwrap();
    let within = "select expires_at <= now() + interval '24 hours' from api_keys where expires_at is not null";
    assert_eq!(house.ask(within).await, "true");
    house.store.roll_api_key(old.id, 0, &new(house.tenant, 4), &NOBODY).await.unwrap();
    assert!(!opens(&house, 1).await && opens(&house, 2).await && opens(&house, 4).await);
    let again = house.store.roll_api_key(old.id, 0, &new(house.tenant, 5), &NOBODY).await.unwrap();
    assert!(matches!(again, FreshKey::NoneToRoll));
    assert!(!opens(&house, 5).await);
    house.leave().await;
}

#[tokio::test]
async fn one_key_rolled_at_once_by_two_ends_once_for_each() {
    let house = House::enter().await;
    let old = issue(&house, &new(house.tenant, 1)).await;
    let (first, second) = (new(house.tenant, 2), new(house.tenant, 3));
    let (one, other) = tokio::join!(
        house.store.roll_api_key(old.id, 0, &first, &NOBODY),
        house.store.roll_api_key(old.id, 0, &second, &NOBODY),
    );
    let made = [one.unwrap(), other.unwrap()].iter().filter(|fresh| matches!(fresh, FreshKey::Made(_))).count();
    assert_eq!(made, 1, "who comes second finds it ended");
    assert!(!opens(&house, 1).await);
    house.leave().await;
}

/// Whoever writes, and whatever they may.
#[tokio::test]
async fn what_was_ended_stays_ended() {
    let house = House::enter().await;
    let key = issue(&house, &new(house.tenant, 1)).await;
    house.store.roll_api_key(key.id, 1, &new(house.tenant, 2), &NOBODY).await.unwrap();
    house.store.end_api_key(house.tenant, key.id, &NOBODY).await.unwrap().unwrap();
    assert!(!opens(&house, 1).await);
    for sql in [
        "update api_keys set revoked_at = null",
        "update api_keys set revoked_at = now() + interval '1 day' where revoked_at is not null",
        "update api_keys set expires_at = null where expires_at is not null",
        "update api_keys set expires_at = now() + interval '1 day' where expires_at is not null",
    ] {
        let refused = house.try_run(sql).await.unwrap_err().to_string();
        assert!(refused.contains("stays ended"), "{sql}: {refused}");
    }
    let revoked_at = house.ask("select revoked_at from api_keys where revoked_at is not null").await;
    let again = house.store.end_api_key(house.tenant, key.id, &NOBODY).await.unwrap().unwrap();
    assert!(!again.works);
    assert_eq!(house.ask("select revoked_at from api_keys where revoked_at is not null").await, revoked_at);
    assert_eq!(house.ask("select count(*) from audit_log where action = 'api_key.revoked'").await, "1");
    house.leave().await;
}

#[tokio::test]
async fn the_worlds_do_not_meet() {
    let house = House::enter().await;
    let test = house.tenant;
    let live = Tenant { mode: Mode::Live, ..test };
    let keys = [issue(&house, &new(test, 1)).await.id, issue(&house, &new(live, 2)).await.id];
    for (tenant, own, foreign) in [(test, keys[0], keys[1]), (live, keys[1], keys[0])] {
        let listed: Vec<ApiKeyId> = house.store.api_keys(tenant).await.unwrap().iter().map(|key| key.id).collect();
        assert_eq!(listed, [own]);
        assert!(house.store.api_key(tenant, foreign).await.unwrap().is_none());
        assert!(house.store.end_api_key(tenant, foreign, &NOBODY).await.unwrap().is_none());
        let rolled = house.store.roll_api_key(foreign, 0, &new(tenant, 7), &NOBODY).await.unwrap();
        assert!(matches!(rolled, FreshKey::NoneToRoll));
    }
    house.store.add_origin(test, "https://shop.example", &NOBODY).await.unwrap();
    assert_eq!(house.store.origins(live).await.unwrap(), Vec::<String>::new());
    assert!(!house.store.remove_origin(live, "https://shop.example", &NOBODY).await.unwrap());
    assert_eq!(house.store.find_principal(&[2; 32]).await.unwrap().unwrap().origins, Vec::<String>::new());
    house.leave().await;
}

#[tokio::test]
async fn no_merchant_has_more_than_it_may() {
    let house = House::enter().await;
    for n in 0..20 {
        issue(&house, &new(house.tenant, n)).await;
    }
    let more = house.store.issue_api_key(&new(house.tenant, 100), &NOBODY).await.unwrap();
    assert!(matches!(more, FreshKey::TooMany));
    let first = house.store.api_keys(house.tenant).await.unwrap()[0].id;
    // In place of another there is room; beside it there is none.
    let beside = house.store.roll_api_key(first, 1, &new(house.tenant, 101), &NOBODY).await.unwrap();
    assert!(matches!(beside, FreshKey::TooMany));
    assert_eq!(house.ask("select count(*) from api_keys where expires_at is not null").await, "0");
    let instead = house.store.roll_api_key(first, 0, &new(house.tenant, 102), &NOBODY).await.unwrap();
    assert!(matches!(instead, FreshKey::Made(_)));
    for n in 0..50 {
        assert!(house.store.add_origin(house.tenant, &format!("https://{n}.example"), &NOBODY).await.unwrap());
    }
    assert!(!house.store.add_origin(house.tenant, "https://50.example", &NOBODY).await.unwrap());
    assert!(house.store.add_origin(house.tenant, "https://7.example", &NOBODY).await.unwrap(), "it is there already");
    house.leave().await;
}

#[tokio::test]
async fn a_use_is_noted_once_a_minute_whoever_notes_it() {
    let house = House::enter().await;
    let key = issue(&house, &new(house.tenant, 1)).await.id;
    let used = |seconds, from: &str| KeyUsed { key, ago: Duration::from_secs(seconds), from: Some(from.to_owned()) };
    let from = async || house.ask("select last_used_from from api_keys").await;
    house.store.note_key_uses(&[used(90, "203.0.113.0/24")]).await.unwrap();
    let age = "select now() - last_used_at between interval '90 seconds' and interval '100 seconds' from api_keys";
    assert_eq!((from().await.as_str(), house.ask(age).await.as_str()), ("203.0.113.0/24", "true"));
    house.store.note_key_uses(&[used(1, "198.51.100.0/24")]).await.unwrap();
    assert_eq!(from().await, "198.51.100.0/24");
    house.store.note_key_uses(&[used(0, "192.0.2.0/24")]).await.unwrap();
    assert_eq!(from().await, "198.51.100.0/24", "another instance noted it less than a minute ago");
    house.leave().await;
}
