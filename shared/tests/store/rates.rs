//! How often something may be tried, whoever asks at once and wherever.

use std::time::Duration;

use futures::future::join_all;
use naru_shared::store::{Reserved, Reserving};

use crate::house::House;

const MINUTE: Duration = Duration::from_secs(60);
const KEY: [u8; 32] = [7; 32];

impl House {
    /// Tries once; the seconds to wait when that is one too many, to the nearest ten: a busy machine takes some, too.
    async fn tries(&self, limit: i32, window: Duration) -> Option<u64> {
        let wait = self.store.count_against("sign_in", &KEY, limit, window).await.unwrap();
        wait.map(|wait| (wait.as_secs() + 5) / 10 * 10)
    }

    /// Time goes by.
    async fn passes(&self, interval: &str) {
        let by = format!("interval '{interval}'");
        self.run(format!("update rate_limits set window_start = window_start - {by}, until = until - {by}")).await;
    }
}

#[tokio::test]
async fn five_and_no_more_however_many_at_once() {
    let house = House::enter().await;
    let tries = join_all((0..40).map(|_| house.tries(5, MINUTE))).await;
    assert_eq!(tries.iter().filter(|wait| wait.is_none()).count(), 5, "{tries:?}");
    let other = house.store.count_against("sign_in", &[8; 32], 5, MINUTE).await.unwrap();
    assert_eq!(other, None, "somebody else is not concerned");
    let elsewhere = house.store.count_against("sign_up", &KEY, 5, MINUTE).await.unwrap();
    assert_eq!(elsewhere, None, "nor is something else");
    house.leave().await;
}

#[tokio::test]
async fn each_window_that_is_exceeded_makes_the_next_wait_longer() {
    let house = House::enter().await;
    let mut waits = Vec::new();
    for _ in 0..7 {
        for _ in 0..2 {
            assert_eq!(house.tries(2, MINUTE).await, None);
        }
        let wait = house.tries(2, MINUTE).await.unwrap();
        // Trying on changes nothing.
        house.passes("10 seconds").await;
        assert_eq!(house.tries(2, MINUTE).await, Some(wait - 10));
        house.passes(&format!("{} seconds", wait - 10)).await;
        waits.push(wait);
    }
    assert_eq!(waits, [60, 120, 240, 480, 900, 900, 900]);
    // A window that is kept to, and it begins anew.
    assert_eq!(house.tries(2, MINUTE).await, None);
    house.passes("61 seconds").await;
    for _ in 0..2 {
        assert_eq!(house.tries(2, MINUTE).await, None);
    }
    assert_eq!(house.tries(2, MINUTE).await, Some(60));
    // So does a long while.
    house.passes("17 minutes").await;
    for _ in 0..2 {
        assert_eq!(house.tries(2, MINUTE).await, None);
    }
    assert_eq!(house.tries(2, MINUTE).await, Some(60));
    house.leave().await;
}

#[tokio::test]
async fn a_window_of_an_hour_stays_one() {
    let house = House::enter().await;
    let hour = Duration::from_secs(3_600);
    for _ in 0..2 {
        assert_eq!(house.tries(1, hour).await, None);
        assert_eq!(house.tries(1, hour).await, Some(3_600));
        house.passes("1 hour").await;
    }
    house.leave().await;
}

#[tokio::test]
async fn what_is_given_back_counts_no_more_and_the_rest_does() {
    let house = House::enter().await;
    for _ in 0..2 {
        assert_eq!(house.tries(2, MINUTE).await, None);
    }
    let is_counted = async || house.store.is_counted("sign_in", &KEY).await.unwrap();
    assert!(is_counted().await);
    house.store.uncount("sign_in", &KEY).await.unwrap();
    assert_eq!(house.tries(2, MINUTE).await, None);
    assert!(house.tries(2, MINUTE).await.is_some());
    house.passes("61 seconds").await;
    assert!(!is_counted().await);
    assert_eq!(house.store.forget_old_counts(10).await.unwrap(), 0, "it may still make a wait longer");
    house.passes("15 minutes").await;
    assert_eq!(house.store.forget_old_counts(10).await.unwrap(), 1);
    house.leave().await;
}

impl House {
    /// Reserves one of three in an hour.
    async fn reserves(&self) -> Reserving {
        self.store.reserve("declines", &KEY, 3, Duration::from_secs(3_600)).await.unwrap()
    }

    /// Reserves one of three, and there is room.
    async fn takes(&self) -> Reserved {
        let Reserving::Made(reserved) = self.reserves().await else { panic!("there is no room") };
        reserved
    }
}

#[tokio::test]
async fn what_counts_and_what_may_never_exceed_the_limit_together() {
    let house = House::enter().await;
    let burst = join_all((0..20).map(|_| house.reserves())).await;
    let mut taken: Vec<Reserved> = Vec::new();
    for one in burst {
        match one {
            Reserving::Made(reserved) => taken.push(reserved),
            Reserving::Undecided => {}
            Reserving::UsedUp(_) => panic!("nobody has judged any"),
        }
    }
    assert_eq!(taken.len(), 3);
    // One does not count, and there is room for one.
    house.store.decide(&taken.pop().unwrap(), false).await.unwrap();
    taken.push(house.takes().await);
    assert!(matches!(house.reserves().await, Reserving::Undecided));
    for reserved in &taken {
        house.store.decide(reserved, true).await.unwrap();
    }
    assert!(matches!(house.reserves().await, Reserving::UsedUp(wait) if wait > Duration::from_secs(3_500)));
    // In the next window all begins anew; what is judged late is of the one before.
    house.passes("1 hour").await;
    let late = house.takes().await;
    house.passes("1 hour").await;
    let _kept = house.takes().await;
    house.store.decide(&late, false).await.unwrap();
    assert_eq!(house.ask("select count || ' ' || undecided from rate_limits").await, "1 1");
    house.leave().await;
}

#[tokio::test]
async fn what_a_dead_program_reserved_is_nobodys() {
    let house = House::enter().await;
    let counts = house.takes().await;
    house.store.decide(&counts, true).await.unwrap();
    let _dead = (house.takes().await, house.takes().await);
    assert!(matches!(house.reserves().await, Reserving::Undecided));
    house.run("update rate_limits set reserved_at = reserved_at - interval '61 seconds'".to_owned()).await;
    let _living = (house.takes().await, house.takes().await);
    assert!(matches!(house.reserves().await, Reserving::Undecided));
    assert_eq!(house.ask("select count || ' ' || undecided from rate_limits").await, "3 2");
    house.leave().await;
}
