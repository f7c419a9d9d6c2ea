//! A closed loop: so many clients, each of which begins its next payment when the last is done.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Cpu, Processes, Times};
use crate::Outcome;

/// What runs before anything is counted.
const WARM_UP: Duration = Duration::from_millis(500);

/// What came of it.
pub(crate) struct Closed {
    /// Those that ended within the window.
    pub(crate) payments: u64,
    /// All, warm-up included.
    pub(crate) all: u64,
    pub(crate) seconds: f64,
    pub(crate) times: Times,
    pub(crate) cpu: Cpu,
}

impl Closed {
    pub(crate) fn per_second(&self) -> f64 {
        self.payments as f64 / self.seconds
    }
}

/// Runs `clients` loops of `pay` for `window`. The first payment that fails ends it: a benchmark of failures is none.
pub(crate) async fn closed<F, P>(clients: usize, window: Duration, processes: &Processes, pay: F) -> Outcome<Closed>
where
    F: Fn() -> P + Clone + Send + 'static,
    P: Future<Output = Outcome> + Send,
{
    let begin = Instant::now() + WARM_UP;
    let end = begin + window;
    let mut loops = JoinSet::new();
    for _ in 0..clients {
        let pay = pay.clone();
        loops.spawn(async move {
            let mut times = Times::new();
            let mut all = 0_u64;
            loop {
                let begun = Instant::now();
                if begun >= end {
                    return Ok((times, all));
                }
                pay().await?;
                all += 1;
                let done = Instant::now();
                if done >= begin && done < end {
                    times.note(done - begun);
                }
            }
        });
    }
    tokio::time::sleep_until(begin.into()).await;
    let before = processes.sample();
    tokio::time::sleep_until(end.into()).await;
    let cpu = processes.sample().since(&before);
    let mut times = Times::new();
    let mut all = 0;
    while let Some(ended) = loops.join_next().await {
        let own: Outcome<(Times, u64)> = ended.map_err(|cause| naru_servers::Failure::new("run a client", cause))?;
        let (own, made) = own?;
        times.add(&own);
        all += made;
    }
    Ok(Closed { payments: times.count(), all, seconds: window.as_secs_f64(), times, cpu })
}
