//! Cards under way from one place: no more at once than may still be declined there, so that a burst finds out no more than a
//! row of single tries would, however many instances it comes to. What is under way is counted in Postgres, as if it were
//! declined, until it is judged; those for whom there is no room wait here for their turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use naru_shared::store::{Reserved, Reserving, Store};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::problem::{Problem, Reason};
use crate::rates::{Rate, Who, limited};
use crate::unavailable::refuse;

/// Cards that wait for their turn at one place: many share an address, none needs many.
const WAITING_MAX: usize = 128;
/// How long a card waits for its turn. The card company answers or is given up within this.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How often is looked whether one of another instance's came out. One of our own says so.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
    /// Waiting or under way.
    here: Mutex<usize>,
    /// One has come out.
    out: Notify,
}

/// A card at a gate: waiting, or under way.
#[derive(Debug)]
pub(crate) struct Visit {
    place: Who,
    gate: Arc<Gate>,
    gates: Arc<Mutex<HashMap<Who, Arc<Gate>>>>,
}

/// A card that is under way for somebody at an address. Unless it is said to be declined it does not count in the end, nor when
/// whoever sent it has hung up: then nobody was told anything.
#[derive(Debug)]
pub struct Registering {
    store: Store,
    reserved: Vec<Reserved>,
    visit: Option<Visit>,
}

impl Gates {
    /// Goes in when `take` finds room. Nothing when that takes too long, or too many wait.
    ///
    /// # Errors
    /// Those of `take`.
    pub(crate) async fn enter<F, T>(&self, place: Who, take: impl Fn() -> F) -> Result<Option<(T, Visit)>, Problem>
    where
        F: Future<Output = Result<Option<T>, Problem>>,
    {
        let Some(visit) = self.come(place) else { return Ok(None) };
        let goes_in = async {
            let _turn = visit.gate.turn.lock().await;
            loop {
                if let Some(taken) = take().await? {
                    return Ok(taken);
                }
                // Only the one whose turn it is waits for this.
                let _ = timeout(LOOK_EVERY, visit.gate.out.notified()).await;
            }
        };
        match timeout(WAIT_MAX, goes_in).await {
            Ok(went_in) => went_in.map(|taken| Some((taken, visit))),
            Err(_) => Ok(None),
        }
    }

    fn come(&self, place: Who) -> Option<Visit> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = Arc::clone(gates.entry(place).or_default());
        let mut here = gate.here.lock().unwrap_or_else(PoisonError::into_inner);
        if *here >= WAITING_MAX {
            return None;
        }
        *here += 1;
        drop(here);
        Some(Visit { place, gate, gates: Arc::clone(&self.gates) })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let mut here = self.gate.here.lock().unwrap_or_else(PoisonError::into_inner);
        *here -= 1;
        if *here == 0 {
            gates.remove(&self.place);
        }
        self.gate.out.notify_one();
    }
}

impl Registering {
    /// Counts one more card beforehand, in all of these or in none. Nothing when there is no room until others are judged.
    ///
    /// # Errors
    /// `RATE_LIMITED` when there is none for longer, or that Postgres is away.
    pub(crate) async fn take(store: Store, places: Vec<(Rate, Who)>) -> Result<Option<Self>, Problem> {
        let counting = async move {
            // What it has counted when it finds no room it gives back when it is dropped.
            let mut taken = Self { store, reserved: Vec::new(), visit: None };
            for (rate, who) in places {
                match taken.store.reserve(rate.scope, &who, rate.limit, rate.window).await.map_err(refuse)? {
                    Reserving::Made(reserved) => taken.reserved.push(reserved),
                    Reserving::UsedUp(wait) => return Err(limited(rate, wait)),
                    Reserving::Undecided => return Ok(None),
                }
            }
            Ok(Some(taken))
        };
        // Whoever hangs up meanwhile leaves nothing counted that nobody knows of.
        tokio::spawn(counting).await.map_err(|_| Problem::because(Reason::InternalError))?
    }

    /// It stands at this gate until it comes out.
    pub(crate) fn at(mut self, visit: Visit) -> Self {
        self.visit = Some(visit);
        self
    }

    /// It was declined: it counts. If that can't be said, it counts all the same.
    pub async fn declined(mut self) {
        metrics::counter!("naru_declined_registrations_total").increment(1);
        let reserved = std::mem::take(&mut self.reserved);
        decide(&self.store, &reserved, true).await;
    }
}

impl Drop for Registering {
    fn drop(&mut self) {
        let (reserved, visit) = (std::mem::take(&mut self.reserved), self.visit.take());
        if reserved.is_empty() {
            return;
        }
        let store = self.store.clone();
        tokio::spawn(async move {
            decide(&store, &reserved, false).await;
            // Whoever waits here for room finds it now.
            drop(visit);
        });
    }
}

async fn decide(store: &Store, reserved: &[Reserved], counts: bool) {
    for one in reserved {
        if let Err(error) = store.decide(one, counts).await {
            tracing::warn!(%error, counts, "what became of a card is not counted");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;

    use super::*;

    const PLACE: Who = [7; 32];

    /// Takes one of so many.
    async fn one_of(left: &AtomicUsize) -> Result<Option<()>, Problem> {
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        Ok(taken.is_ok().then_some(()))
    }

    #[tokio::test]
    async fn who_finds_no_room_goes_in_when_another_comes_out() {
        let (gates, left) = (Gates::default(), AtomicUsize::new(3));
        let enter = || gates.enter(PLACE, || one_of(&left));
        let mut inside = Vec::new();
        for _ in 0..3 {
            inside.extend(enter().await.unwrap());
        }
        assert_eq!(inside.len(), 3);
        assert!(enter().now_or_never().is_none(), "the fourth waits");
        let other = AtomicUsize::new(1);
        assert!(gates.enter([8; 32], || one_of(&other)).await.unwrap().is_some(), "another place is another gate");
        let (fourth, ()) = tokio::join!(enter(), async {
            left.store(1, Ordering::Relaxed);
            drop(inside.pop());
        });
        inside.extend(fourth.unwrap());
        assert_eq!(inside.len(), 3, "it went in when one came out");
        // Another instance's does not say so, and is found out.
        let (fourth, ()) = tokio::join!(enter(), async { left.store(1, Ordering::Relaxed) });
        assert!(fourth.unwrap().is_some());
        inside.clear();
        assert!(gates.gates.lock().unwrap().is_empty(), "nobody is remembered who is not here");
    }

    #[tokio::test]
    async fn few_wait() {
        let (gates, left) = (Gates::default(), AtomicUsize::new(9));
        let visits: Vec<_> = (0..WAITING_MAX).filter_map(|_| gates.come(PLACE)).collect();
        assert_eq!(visits.len(), WAITING_MAX);
        assert!(gates.enter(PLACE, || one_of(&left)).await.unwrap().is_none(), "too many wait");
        drop(visits);
        assert!(gates.enter(PLACE, || one_of(&left)).await.unwrap().is_some());
    }
}
