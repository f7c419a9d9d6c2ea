//! Cards under way from one place: no more at once than may still be declined there, so that a burst finds out no more than a
//! row of single tries would. Each instance sees its own: a burst over two finds out twice as much.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::problem::Problem;
use crate::rates::Who;

/// Cards that wait for their turn at one place: many share an address, none needs many.
const WAITING_MAX: usize = 128;
/// How long a card waits for its turn. The card company answers or is given up within this.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// The gates of all places where a card is under way.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    gates: Arc<Mutex<HashMap<Who, Arc<Gate>>>>,
}

/// One place's.
#[derive(Debug, Default)]
struct Gate {
    /// Who holds this is the next to go in.
    turn: tokio::sync::Mutex<()>,
    counts: Mutex<Counts>,
    /// One has come out.
    out: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    /// Waiting or under way.
    here: usize,
    under_way: usize,
}

/// A card at a gate: waiting, or under way.
struct Visit {
    place: Who,
    gate: Arc<Gate>,
    gates: Arc<Mutex<HashMap<Who, Arc<Gate>>>>,
}

/// A card that is under way for somebody at an address, until it is dropped.
pub struct Registering {
    visit: Visit,
}

impl Gates {
    /// Goes in when no more are under way than `limit` leaves after those that `declined` says. Nothing when it takes too
    /// long, or too many wait.
    ///
    /// # Errors
    /// Those of `declined`.
    pub(crate) async fn enter<F>(
        &self,
        place: Who,
        limit: i32,
        declined: impl Fn() -> F,
    ) -> Result<Option<Registering>, Problem>
    where
        F: Future<Output = Result<i32, Problem>>,
    {
        let Some(visit) = self.come(place) else { return Ok(None) };
        let goes_in = async {
            let _turn = visit.gate.turn.lock().await;
            loop {
                // First these, then those: what is declined meanwhile counts twice, and never not at all.
                let under_way = visit.gate.counts().under_way;
                let left = usize::try_from(limit.saturating_sub(declined().await?)).unwrap_or(0);
                if under_way < left {
                    visit.gate.counts().under_way += 1;
                    return Ok(());
                }
                // Whoever is in comes out, and only the one whose turn it is waits for that.
                visit.gate.out.notified().await;
            }
        };
        match tokio::time::timeout(WAIT_MAX, goes_in).await {
            Ok(went_in) => went_in.map(|()| Some(Registering { visit })),
            Err(_) => Ok(None),
        }
    }

    fn come(&self, place: Who) -> Option<Visit> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = Arc::clone(gates.entry(place).or_default());
        let mut counts = gate.counts();
        if counts.here >= WAITING_MAX {
            return None;
        }
        counts.here += 1;
        drop(counts);
        Some(Visit { place, gate, gates: Arc::clone(&self.gates) })
    }
}

impl Gate {
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = self.gate.counts();
        counts.here -= 1;
        if counts.here == 0 {
            gates.remove(&self.place);
        }
    }
}

impl Drop for Registering {
    fn drop(&mut self) {
        self.visit.gate.counts().under_way -= 1;
        self.visit.gate.out.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const PLACE: Who = [7; 32];

    #[tokio::test]
    async fn at_once_no_more_than_are_left() {
        let gates = Gates::default();
        let enter = |declined: i32| gates.enter(PLACE, 10, move || async move { Ok(declined) });
        let mut inside = Vec::new();
        for _ in 0..3 {
            inside.extend(enter(7).await.unwrap());
        }
        assert_eq!(inside.len(), 3);
        assert!(enter(7).now_or_never().is_none(), "the fourth waits");
        assert!(gates.enter([8; 32], 10, || async { Ok(9) }).await.unwrap().is_some(), "another place is another gate");
        let (fourth, ()) = tokio::join!(enter(7), async { drop(inside.pop()) });
        inside.extend(fourth.unwrap());
        assert_eq!(inside.len(), 3, "it went in when one came out");
        inside.clear();
        assert!(gates.gates.lock().unwrap().is_empty(), "nobody is remembered who is not here");
    }

    #[tokio::test]
    async fn few_wait() {
        let gates = Gates::default();
        let visits: Vec<_> = (0..WAITING_MAX).filter_map(|_| gates.come(PLACE)).collect();
        assert_eq!(visits.len(), WAITING_MAX);
        assert!(gates.enter(PLACE, 10, || async { Ok(0) }).await.unwrap().is_none(), "too many wait");
        drop(visits);
        assert!(gates.enter(PLACE, 10, || async { Ok(0) }).await.unwrap().is_some());
    }
}
