//! Requests that want the same of Postgres at the same time ask together.
//!
//! Nothing lingers: a batch is what has come while the one before was on its way. A request that is alone goes alone, at once;
//! when many come, the cost of a round trip and a commit is shared by all that wait.

use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use naru_shared::domain::id::OperationId;
use naru_shared::store::{Acceptance, Created, Settled, Store, StoreError};
use tokio::sync::{Mutex, mpsc, oneshot};

/// Payments accepted by one commit at most.
const ACCEPTS_MAX: usize = 32;
/// Two, so that a batch that waits for a lock or a broken connection holds up only those in it.
const ACCEPT_LANES: usize = 2;
/// Payments of a failed batch that are accepted alone at the same time.
const ALONE_AT_ONCE: usize = 4;
/// Operations looked up by one question at most.
const OUTCOMES_MAX: usize = 64;
const OUTCOME_LANES: usize = 2;
/// Requests that wait to be taken into a batch; beyond it they wait to be put there.
const WAITING_MAX: usize = 1_024;

/// Work that is done for whatever waits together. Cheap to clone.
#[derive(Debug)]
pub struct Together<T, R> {
    asked: mpsc::Sender<(T, oneshot::Sender<Result<R, StoreError>>)>,
}

impl<T: Send + 'static, R: Send + 'static> Together<T, R> {
    /// Starts `lanes` tasks that each take up to `batch_max` of what waits. `work` answers every item, in order.
    fn start<W>(lanes: usize, batch_max: usize, work: impl Fn(Vec<T>) -> W + Clone + Send + 'static) -> Self
    where
        W: Future<Output = Vec<Result<R, StoreError>>> + Send,
    {
        let (asked, waiting) = mpsc::channel(WAITING_MAX);
        let waiting: Arc<Mutex<mpsc::Receiver<(T, oneshot::Sender<_>)>>> = Arc::new(Mutex::new(waiting));
        for _ in 0..lanes {
            let (waiting, work) = (Arc::clone(&waiting), work.clone());
            tokio::spawn(async move {
                let mut batch = Vec::with_capacity(batch_max);
                while waiting.lock().await.recv_many(&mut batch, batch_max).await > 0 {
                    let (items, answers): (Vec<T>, Vec<_>) = batch.drain(..).unzip();
                    for (answer, result) in answers.into_iter().zip(work(items).await) {
                        // Whoever asked may have gone.
                        let _ = answer.send(result);
                    }
                }
            });
        }
        Self { asked }
    }

    /// Does it, with whatever else waits. What was asked is done even when nobody waits for the answer any more.
    ///
    /// # Errors
    /// What the work came to for this item.
    pub async fn ask(&self, item: T) -> Result<R, StoreError> {
        let (answer, answered) = oneshot::channel();
        // Either fails only if the work panicked: then nobody knows how far it came.
        self.asked.send((item, answer)).await.map_err(|_| StoreError::gone())?;
        answered.await.map_err(|_| StoreError::gone())?
    }
}

/// Accepts payments, many in one commit.
#[must_use]
pub fn accepts(store: Store) -> Together<Acceptance, Created> {
    Together::start(ACCEPT_LANES, ACCEPTS_MAX, move |batch: Vec<Acceptance>| {
        let store = store.clone();
        async move {
            metrics::histogram!("naru_api_accept_batch").record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
            match store.create_payments(&batch).await {
                Err(error) if batch.len() > 1 && (!error.is_transient() || error.is_of_a_lock()) => {
                    tracing::info!(%error, payments = batch.len(), "a batch was taken back: each is accepted alone");
                    // One that Postgres refuses, or that meets a lock, must not take the others with it. A few at once, so
                    // that those behind one that still waits for a lock don't.
                    let alone = move |one: Acceptance| {
                        let store = store.clone();
                        async move { store.create_payment(&one).await }
                    };
                    stream::iter(batch).map(alone).buffered(ALONE_AT_ONCE).collect().await
                }
                Err(error) => vec![Err(error); batch.len()],
                Ok(created) => created.into_iter().map(Ok).collect(),
            }
        }
    })
}

/// Looks up how operations stand, many by one question.
#[must_use]
pub fn outcomes(store: Store) -> Together<OperationId, Option<Settled>> {
    Together::start(OUTCOME_LANES, OUTCOMES_MAX, move |batch: Vec<OperationId>| {
        let store = store.clone();
        async move {
            match store.settled(&batch).await {
                Err(error) if batch.len() > 1 && !error.is_transient() => {
                    let mut answers = Vec::with_capacity(batch.len());
                    for one in &batch {
                        let found = store.settled(std::slice::from_ref(one)).await;
                        answers.push(found.map(|found| found.into_iter().next().map(|(_, settled)| settled)));
                    }
                    answers
                }
                Err(error) => vec![Err(error); batch.len()],
                Ok(found) => {
                    // Two requests may wait for one operation.
                    let of = |wanted: &OperationId| found.iter().find(|(id, _)| id == wanted);
                    batch.iter().map(|wanted| Ok(of(wanted).map(|(_, settled)| settled.clone()))).collect()
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::Barrier;

    use super::*;

    /// Answers each number with the size of the batch it was in.
    fn sizes(batch_max: usize) -> Together<u32, usize> {
        Together::start(1, batch_max, |batch: Vec<u32>| async move { vec![Ok(batch.len()); batch.len()] })
    }

    #[tokio::test]
    async fn what_waits_goes_together_and_never_more_than_the_most() {
        let together = sizes(4);
        let asked = (0..7).map(|number| together.ask(number));
        let sizes: Vec<usize> = futures::future::join_all(asked).await.into_iter().map(Result::unwrap).collect();
        // All seven were there when the lane first looked.
        assert_eq!(sizes, [4, 4, 4, 4, 3, 3, 3]);
    }

    #[tokio::test]
    async fn who_is_alone_goes_alone_at_once() {
        let together = sizes(4);
        assert_eq!(together.ask(1).await.unwrap(), 1);
        assert_eq!(together.ask(2).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_second_lane_does_not_wait_for_the_first() {
        let both = Arc::new(Barrier::new(2));
        let together: Together<u32, ()> = Together::start(2, 1, move |_| {
            let both = Arc::clone(&both);
            async move {
                both.wait().await;
                vec![Ok(())]
            }
        });
        let asked = async { tokio::join!(together.ask(1), together.ask(2)) };
        let (one, two) = tokio::time::timeout(Duration::from_secs(5), asked).await.unwrap();
        assert!(one.is_ok() && two.is_ok());
    }

    #[tokio::test]
    async fn work_that_panics_leaves_nobody_waiting() {
        let together: Together<u32, u32> = Together::start(1, 4, |_| async { panic!("as a test") });
        let answer = together.ask(1).await;
        assert!(answer.is_err_and(|error| error.is_transient()));
    }
}
