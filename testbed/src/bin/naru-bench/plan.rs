//! What is measured in which order.
//!
//! Floor and Naru take turns at every number of clients, so that whatever else this machine does meets all of them.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::Outcome;
use crate::floor::{Floor, Form};
use crate::http::client;
use crate::measure::{Closed, Counter, Counts, Processes, closed, open, payments};
use crate::naru::Shop;
use crate::options::{Options, Part};
use crate::report::{Kind, Loop, OpenLoop, Results};
use crate::stack::Stack;

/// Clients of the warm-up, and its length for each of the three.
const WARM_CLIENTS: usize = 16;
const WARM_UP: Duration = Duration::from_millis(1_500);
/// Statements that are told of.
const STATEMENTS: i64 = 8;
/// Length of each counting.
const COUNTED: Duration = Duration::from_secs(2);

struct Bench<'a> {
    options: &'a Options,
    processes: Processes,
    base: Floor,
    batched: Floor,
    shop: Shop,
    counter: Counter,
}

/// Measures everything that is wanted.
pub(crate) async fn carry_out(options: &Options, stack: &Stack) -> Outcome<Results> {
    let addresses = &stack.addresses;
    let bench = Bench {
        options,
        processes: stack.processes(),
        base: Floor::start(Form::Base, addresses).await?,
        batched: Floor::start(Form::Batched, addresses).await?,
        shop: Shop::new(addresses, &stack.secret_key)?,
        counter: Counter::new(&addresses.admin, client()?, addresses.metrics.clone())?,
    };
    let mut results = Results::new(options);
    bench.warm_up().await?;
    bench.closed_loops(&mut results).await?;
    if options.wants(Part::Open) {
        bench.open_loops(&mut results).await?;
    }
    if options.wants(Part::Counts) {
        bench.count(&mut results).await?;
    }
    Ok(results)
}

impl Bench<'_> {
    /// Opens connections, fills tables, and lets the planner see them: until then plans are not those of a system that works.
    async fn warm_up(&self) -> Outcome {
        eprintln!("warming up");
        for kind in Kind::ALL {
            self.run(kind, WARM_CLIENTS, WARM_UP).await?;
        }
        self.counter.analyze().await?;
        self.base.analyze().await
    }

    async fn closed_loops(&self, results: &mut Results) -> Outcome {
        for &clients in &self.options.clients {
            for _ in 0..self.options.rounds() {
                for kind in Kind::ALL {
                    let part = match kind {
                        Kind::FloorBase | Kind::FloorBatched => Part::Floor,
                        Kind::KeyIn => Part::KeyIn,
                        Kind::Checkout => Part::Checkout,
                    };
                    if self.options.wants(part) {
                        let measured = self.run(kind, clients, self.options.window()).await?;
                        let measured = Loop::new(kind, clients, &measured);
                        eprintln!("{}", measured.line());
                        results.loops.push(measured);
                    }
                }
            }
        }
        Ok(())
    }

    async fn run(&self, kind: Kind, clients: usize, window: Duration) -> Outcome<Closed> {
        let (base, batched, shop) = (self.base.clone(), self.batched.clone(), self.shop.clone());
        match kind {
            Kind::FloorBase => closed(clients, window, &self.processes, move || pay(base.clone())).await,
            Kind::FloorBatched => closed(clients, window, &self.processes, move || pay(batched.clone())).await,
            Kind::KeyIn => {
                let key_in = move || {
                    let shop = shop.clone();
                    async move { shop.key_in().await.map(|_| ()) }
                };
                closed(clients, window, &self.processes, key_in).await
            }
            Kind::Checkout => {
                let check_out = move || {
                    let shop = shop.clone();
                    async move { shop.check_out().await }
                };
                closed(clients, window, &self.processes, check_out).await
            }
        }
    }

    async fn open_loops(&self, results: &mut Results) -> Outcome {
        let (rate, window) = (self.options.rate, self.options.open_window());
        for (name, floor) in [("floor base", &self.base), ("floor batched", &self.batched)] {
            let paying = |()| {
                let floor = floor.clone();
                async move { floor.pay().await }
            };
            let measured = open(rate, window, &self.processes, nothing(), paying).await?;
            results.open(OpenLoop::new(name, &measured));
        }
        let shop = self.shop.clone();
        let paying = move |()| {
            let shop = shop.clone();
            async move { shop.key_in().await }
        };
        let measured = open(rate, window, &self.processes, nothing(), paying).await?;
        results.open(OpenLoop::new("Naru key-in, waited for", &measured));

        let watched = self.shop.watched(payments(rate, window)).await?;
        let measured = open(rate, window, &self.processes, watched, crate::naru::Watched::confirm).await?;
        results.open(OpenLoop::new("Naru confirm, event heard", &measured));
        Ok(())
    }

    async fn count(&self, results: &mut Results) -> Outcome {
        self.counter.statements(true).await?;
        let before = self.counter.read().await?;
        tokio::time::sleep(COUNTED).await;
        let after = self.counter.read().await?;
        let idle = after.per_payment(&before, &Counts::default(), 0.0, COUNTED.as_secs_f64());
        results.idle = Some(idle);
        for &clients in &self.options.clients {
            for kind in Kind::ALL {
                let before = self.counter.read().await?;
                let begun = std::time::Instant::now();
                let measured = self.run(kind, clients, COUNTED).await?;
                let after = self.counter.read().await?;
                let seconds = begun.elapsed().as_secs_f64();
                let counts = after.per_payment(&before, &idle, seconds, measured.all as f64);
                results.count(kind, clients, counts);
                let statements = self.counter.costliest(STATEMENTS).await?;
                if kind == Kind::KeyIn {
                    results.statements = statements;
                    results.statements_of = measured.all;
                }
            }
        }
        self.counter.statements(false).await
    }
}

async fn pay(floor: Floor) -> Outcome {
    floor.pay().await.map(|_| ())
}

/// For payments that need no preparation.
fn nothing() -> mpsc::Receiver<Outcome<()>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move { while sender.send(Ok(())).await.is_ok() {} });
    receiver
}
