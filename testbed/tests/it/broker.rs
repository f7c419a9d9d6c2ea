//! RabbitMQ goes away under load: the API goes on accepting, and everything settles once it is back.

use std::sync::Mutex;
use std::time::Duration;

use naru_testbed::{Gateway, Link, Payment, eventually};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Payments a second, all the while.
const RATE: u32 = 5;
/// How many there are before it goes away, and how many more after it is back: three seconds each.
const AROUND: usize = 15;
/// Some are approved at once, some take three seconds, and some are tried again twice: so at any time there is work in
/// flight, in the work queue and on the ladder of delays.
const CARDS: [&str; 5] = ["approve", "slow", "busy_twice", "approve", "busy_twice"];
const SOON: Duration = Duration::from_secs(20);

/// What a shop sold so far.
#[derive(Default)]
struct Sold(Mutex<Vec<Payment>>);

impl Sold {
    fn count(&self) -> usize {
        self.0.lock().expect("nobody panics with it").len()
    }

    async fn until(&self, count: usize) {
        eventually("more is sold", SOON, async || (self.count() >= count).then_some(())).await;
    }
}

/// Pays at the same pace until told to stop. Whatever happens to the broker, every payment is accepted.
async fn sell(gateway: &Gateway, sold: &Sold, stop: &CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
    for card in CARDS.into_iter().cycle() {
        if stop.run_until_cancelled(tick.tick()).await.is_none() {
            return;
        }
        let payment = Payment::of(12_000).card(card);
        let _ = gateway.shop.begin(&payment).await;
        sold.0.lock().expect("nobody panics with it").push(payment);
    }
}

/// Takes RabbitMQ away by `taken` under load, and gives it back by `back`.
async fn away(taken: impl AsyncFnOnce(&Gateway), back: impl AsyncFnOnce(&Gateway)) {
    let gateway = Gateway::with().workers(2).own(&[Link::Amqp]).start().await;
    let (sold, stop) = (Sold::default(), CancellationToken::new());
    let trouble = async {
        sold.until(AROUND).await;
        taken(&gateway).await;
        let before = sold.count();
        let open: i64 =
            sqlx::query_scalar("select count(*) from operations where status not in ('succeeded', 'failed')")
                .fetch_one(gateway.db())
                .await
                .expect("Postgres answers");
        back(&gateway).await;
        everybody_is_connected(&gateway).await;
        let missed = sold.count() - before;
        sold.until(sold.count() + AROUND).await;
        stop.cancel();
        missed + usize::try_from(open).unwrap_or(0)
    };
    let ((), rows) = tokio::join!(sell(&gateway, &sold, &stop), trouble);
    gateway.settled_within(Duration::from_secs(60)).await;
    let sold = sold.0.into_inner().expect("nobody panics with it");
    for payment in &sold {
        gateway.bank.expect(&payment.order_id).charged_once().await;
    }

    // Every row whose hint was lost needed one from the sweeper. What is beyond that is too much.
    let mut hints = 0;
    for worker in &gateway.workers {
        hints += worker.counted("naru_sweeper_hints_total").await.unwrap_or(0);
    }
    let rows = u64::try_from(rows).unwrap_or(u64::MAX);
    assert!(hints > 0, "{rows} rows lost their hints, and nobody sent others");
    assert!(hints <= rows + rows / 10, "{hints} hints for {rows} rows");
    gateway.check().await;
}

/// Waits until the API publishes again, and the workers publish and consume.
async fn everybody_is_connected(gateway: &Gateway) {
    eventually("everybody is connected", SOON, async || {
        let mut links = gateway.api().metric("naru_broker_connected").await;
        for worker in &gateway.workers {
            links += worker.metric("naru_broker_connected").await;
        }
        (links == 5).then_some(())
    })
    .await;
}

async fn killed(gateway: &Gateway) {
    gateway.own.blocking(|own| own.rabbitmq().kill9()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_for_twenty_seconds() {
    away(killed, async |gateway| {
        // The outage itself: it lasts so long, and nothing is waited for.
        tokio::time::sleep(Duration::from_secs(20)).await;
        gateway.own.blocking(|own| own.rabbitmq().start()).await;
    })
    .await;
}

/// How many messages there are in the queues whose names begin so.
fn held(queues: &Value, begins: &str) -> u64 {
    let named = |queue: &&Value| queue["name"].as_str().is_some_and(|name| name.starts_with(begins));
    queues.as_array().into_iter().flatten().filter(named).filter_map(|queue| queue["messages"].as_u64()).sum()
}

/// It comes back without the messages it had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wiped() {
    let taken = async |gateway: &Gateway| {
        eventually("there is something to lose", SOON, async || {
            let queues = gateway.queues().await;
            (held(&queues, "work.") > 0 && held(&queues, "naru.wait.") > 0).then_some(())
        })
        .await;
        killed(gateway).await;
    };
    away(taken, async |gateway| gateway.own.blocking(|own| own.rabbitmq().wipe()).await).await;
}
