//! How often cards and passwords may be tried.

use std::future::IntoFuture as _;

use futures::future::join_all;
use naru_testbed::{Account, Answer, Gateway, Payment, cards};

use super::with;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payer_registers_five_cards_an_hour() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let tries = join_all((0..9).map(|_| payer.register(cards::number("approve")).into_future())).await;
    let refused: Vec<&Answer> = tries.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!((refused.len(), tries.iter().filter(|answer| answer.status == 200).count()), (4, 5), "{tries:?}");
    for answer in refused {
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((3_000..=3_600).contains(&wait), "{answer:?}");
        let _ = answer.clone().expecting_problem(429, "COMMON_ERROR");
    }
    // From another browser, too; and another payer is not concerned.
    let elsewhere = payer.elsewhere();
    let _ = elsewhere.sign_in().await.expecting(200);
    let _ = elsewhere.register(cards::number("slow")).await.expecting_problem(429, "COMMON_ERROR");
    let _ = gateway.payer().await.register(cards::number("approve")).await.expecting(200);
}

/// Whoever looks for cards finds ten an hour that are none, whether as a guest or with accounts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_ten_declined_cards_an_hour() {
    let gateway = Gateway::start().await;
    let one = gateway.payer().await;
    let mut other = gateway.payer().await;
    other.address.clone_from(&one.address);
    for payer in [&one, &other] {
        for _ in 0..2 {
            let _ = payer.register(cards::number("refuse_token_82")).await.expecting(400);
        }
    }
    let as_guest = async |card: &str, address: &str| {
        let order = Payment::of(12_000).card(card);
        let created = gateway.shop.create(&order).await.expecting(200);
        gateway.shop.payer_of(&created).authenticate(&order).header("x-forwarded-for", address).await
    };
    for _ in 0..6 {
        let _ = as_guest("refuse_token_82", &one.address).await.expecting(400);
    }
    // Good cards are refused there now, too, as a guest and with an account.
    let limited = as_guest("approve", &one.address).await.expecting_problem(429, "COMMON_ERROR");
    assert_eq!(limited.text("reason"), "RATE_LIMITED");
    let _ = one.register(cards::number("approve")).await.expecting_problem(429, "COMMON_ERROR");
    // Elsewhere they are not. And nobody but our own proxy says where that is.
    let _ = as_guest("approve", "10.200.0.1").await.expecting(200);
    let _ = as_guest("approve", &format!("10.200.0.2, {}", one.address)).await.expecting_problem(429, "COMMON_ERROR");
    // An hour later it begins anew.
    let passes = "update rate_limits set window_start = window_start - interval '61 minutes', until = until - interval '61 minutes'";
    sqlx::query(passes).execute(gateway.db()).await.expect("Postgres answers");
    let _ = as_guest("approve", &one.address).await.expecting(200);
}

/// Tried at once they are no more than tried one after the other; and good ones wait for their turn, and are taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_cards_finds_out_no_more() {
    let gateway = Gateway::with().apis(2).start().await;
    let shops = [gateway.shop.clone(), gateway.shop.at(&gateway.apis[1])];
    let tries = async |card: &str, address: &str, count: usize| {
        let orders: Vec<Payment> = (0..count).map(|_| Payment::of(12_000).card(card)).collect();
        let pays = orders.iter().enumerate().map(async |(n, order)| {
            let created = gateway.shop.create(order).await.expecting(200);
            shops[n % 2].payer_of(&created).authenticate(order).header("x-forwarded-for", address).await
        });
        join_all(pays).await
    };
    let burst = tries("refuse_token_82", "10.202.0.1", 40).await;
    let judged = burst.iter().filter(|answer| answer.text("reason") != "RATE_LIMITED").count();
    assert_eq!(judged, 10, "{burst:?}");
    let good = tries("approve", "10.202.0.2", 40).await;
    assert!(good.iter().all(|answer| answer.status == 200), "{good:?}");
    // All around a place of IPv6 has ten times as much. Five are left of that, wherever in it they are tried.
    for address in ["2001:db8:7:1::1", "2001:db8:7:2::1"] {
        assert_eq!(tries("refuse_token_82", address, 1).await[0].status, 400);
    }
    let around = "update rate_limits set count = 95 where scope = 'declines_address' and count = 2 and undecided = 0";
    assert_eq!(sqlx::query(around).execute(gateway.db()).await.expect("Postgres answers").rows_affected(), 1);
    let burst = tries("refuse_token_82", "2001:db8:7:3::1", 20).await;
    let judged = burst.iter().filter(|answer| answer.text("reason") != "RATE_LIMITED").count();
    assert_eq!(judged, 5, "{burst:?}");
}

/// A payment has ten cards. One's own that is good, but not in months, is one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_card_that_is_refused_for_its_months_makes_no_room_for_others() {
    let gateway = Gateway::start().await;
    let created = gateway.shop.create(&Payment::of(50_000)).await.expecting(200);
    let page = format!("/checkout/v1/{}/authenticate", created.text("checkout.url").rsplit('/').next().expect("an id"));
    let debit = with(Account::card("9400061000000009"), "cardInstallmentPlan", "2");
    for _ in 0..10 {
        let refused = gateway.shop.post(&page, &debit).await;
        assert_eq!(refused.text("code"), "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN", "{refused:?}");
    }
    let refused = gateway.shop.post(&page, &Account::card(cards::number("approve"))).await;
    assert_eq!(refused.text("reason"), "TOO_MANY_CARDS", "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_wrongly_is_slow_business() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let here = || {
        let mut here = payer.elsewhere();
        "10.201.0.1".clone_into(&mut here.address);
        here
    };
    // Being right in between takes nothing off the count.
    let _ = here().sign_in_with("a wrong horse battery").await.expecting(401);
    let _ = here().sign_in().await.expecting(200);
    let tries: Vec<Account> = (0..12).map(|_| here()).collect();
    let answers = join_all(tries.iter().map(|account| account.sign_in_with("a wrong horse battery"))).await;
    // Too many at once wait for their turn, or are told to come again.
    let counted = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(counted, 4, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 429)), "{answers:?}");
    let right = here().sign_in().await.expecting_problem(429, "COMMON_ERROR");
    let wait: u64 = right.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{right:?}");
    let _ = payer.me().await.expecting(200);
    // Whoever tries there keeps nobody out who comes from elsewhere; a hundred, from wherever they come, do.
    let known = payer.elsewhere();
    let _ = known.sign_in().await.expecting(200);
    // (Of these it is one: where its owner was right, what is wrong counts there only.)
    let many = "update rate_limits set count = 100 where scope = 'wrong_passwords_account' and count = 1";
    assert_eq!(sqlx::query(many).execute(gateway.db()).await.expect("Postgres answers").rows_affected(), 1);
    let _ = payer.elsewhere().sign_in().await.expecting_problem(429, "COMMON_ERROR");
    // But nobody keeps them out of where they were right before, nor tries there without end.
    let _ = known.sign_in().await.expecting(200);
    for status in [401, 401, 401, 401, 401, 429] {
        assert_eq!(known.sign_in_with("a wrong horse battery").await.status, status);
    }
    let few = "update rate_limits set count = 1 where scope = 'wrong_passwords_account'";
    sqlx::query(few).execute(gateway.db()).await.expect("Postgres answers");
    // The next time it takes longer.
    let passes = async || {
        let passes = "update rate_limits set window_start = window_start - interval '61 seconds', until = until - interval '61 seconds'";
        sqlx::query(passes).execute(gateway.db()).await.expect("Postgres answers");
    };
    passes().await;
    for _ in 0..5 {
        let _ = here().sign_in_with("a wrong horse battery").await.expecting(401);
    }
    let longer = here().sign_in().await.expecting_problem(429, "COMMON_ERROR");
    let wait: u64 = longer.header("retry-after").parse().expect("seconds");
    assert!((61..=120).contains(&wait), "{longer:?}");
    passes().await;
    passes().await;
    let _ = here().sign_in().await.expecting(200);

    // A network of IPv6 has ten times what a place in it has.
    let mut around = gateway.stranger("test");
    let mut network = async |count: &'static str, address: &str| {
        let count = sqlx::AssertSqlSafe(format!("update rate_limits set count = {count}"));
        sqlx::query(count).execute(gateway.db()).await.expect("Postgres answers");
        address.clone_into(&mut around.address);
        // Each time another account, so that it is no account's count.
        around.email.insert(0, 'x');
        around.sign_in().await.status
    };
    assert_eq!(network("count", "2001:db8:1:1::1").await, 401);
    assert_eq!(network("20", "2001:db8:1:1::1").await, 429);
    assert_eq!(network("20", "2001:db8:1:2::1").await, 401, "the other has its own");
    assert_eq!(network("200", "2001:db8:1:3::1").await, 429, "but not all around without end");
    assert_eq!(network("200", "2001:db8:2:3::1").await, 401);
    sqlx::query("delete from rate_limits").execute(gateway.db()).await.expect("Postgres answers");

    // An address has twenty, whatever accounts it tries.
    let mut here = gateway.stranger("test");
    let mut statuses = Vec::new();
    for n in 0..21 {
        here.email = format!("nobody-{n}@mail.example");
        statuses.push(here.sign_in().await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 20, "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429));
}
