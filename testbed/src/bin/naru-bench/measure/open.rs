//! An open loop: payments begin when their time has come, whether or not earlier ones are done.
//!
//! Every time is counted from when the payment was *meant* to begin, so a system that stalls can't hide the payments that it
//! kept waiting (coordinated omission).

use std::future::Future;
use std::time::{Duration, Instant};

use naru_servers::Failure;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Cpu, Processes, Times};
use crate::Outcome;

/// What runs before anything is counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// When one payment was accepted and when its end was heard of.
pub(crate) struct Made {
    pub(crate) accepted: Instant,
    pub(crate) heard: Instant,
}

/// What came of it.
pub(crate) struct Open {
    /// From when the payment was meant to begin.
    pub(crate) from_intended: Times,
    /// From when its acceptance was known to whoever asked.
    pub(crate) from_accepted: Times,
    pub(crate) seconds: f64,
    pub(crate) cpu: Cpu,
}

/// How many payments an open loop makes in all.
pub(crate) fn payments(rate: u32, window: Duration) -> u32 {
    let seconds = (WARM_UP + window).as_secs_f64();
    // Rounded towards zero; rates and windows are small.
    format!("{:.0}", f64::from(rate) * seconds).parse().unwrap_or(rate)
}

/// Makes `rate` payments a second for `window`, each with the next of `prepared`. The first that fails ends it.
pub(crate) async fn open<T, F, P>(
    rate: u32,
    window: Duration,
    processes: &Processes,
    mut prepared: mpsc::Receiver<Outcome<T>>,
    pay: F,
) -> Outcome<Open>
where
    T: Send + 'static,
    F: Fn(T) -> P,
    P: Future<Output = Outcome<Made>> + Send + 'static,
{
    let count = payments(rate, window);
    let begin = Instant::now() + Duration::from_millis(100);
    let counted_from = begin + WARM_UP;
    let (beats, mut beat) = mpsc::unbounded_channel();
    // The runtime's timer is as late as a millisecond; a thread that sleeps is not.
    std::thread::spawn(move || {
        for number in 0..count {
            let intended = begin + Duration::from_secs(1) * number / rate;
            std::thread::sleep(intended.saturating_duration_since(Instant::now()));
            if beats.send(intended).is_err() {
                return;
            }
        }
    });

    let mut paying: JoinSet<Outcome<(Instant, Made)>> = JoinSet::new();
    let mut before = None;
    while let Some(intended) = beat.recv().await {
        if intended >= counted_from && before.is_none() {
            before = Some(processes.sample());
        }
        let next = prepared.recv().await.ok_or_else(|| Failure::new("prepare a payment", "there are no more"))??;
        let made = pay(next);
        paying.spawn(async move { Ok((intended, made.await?)) });
    }
    let cpu = before.map(|before| processes.sample().since(&before)).unwrap_or_default();
    let mut result =
        Open { from_intended: Times::new(), from_accepted: Times::new(), seconds: window.as_secs_f64(), cpu };
    while let Some(ended) = paying.join_next().await {
        let (intended, made) = ended.map_err(|cause| Failure::new("make a payment", cause))??;
        if intended >= counted_from {
            result.from_intended.note(made.heard.saturating_duration_since(intended));
            result.from_accepted.note(made.heard.saturating_duration_since(made.accepted));
        }
    }
    Ok(result)
}
