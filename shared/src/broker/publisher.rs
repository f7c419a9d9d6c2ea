//! Publishing with confirms: nothing counts as published until the broker has it on disk and routed.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures::future::join_all;
use lapin::{
    Channel, Confirmation,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    link::{Link, LinkState, Session},
    outgoing::Outgoing,
};

/// How long a batch may take from its first byte to its last confirm, and how long it may wait for
/// its turn before that.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(3);

/// The most messages in one batch; more are taken in several.
pub(super) const BATCH_MAX: usize = 256;

/// Batches that wait while one is on its way. Beyond it a publish waits for its turn.
const REQUESTS_MAX: usize = 256;

/// Why a message is not known to be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no connection. Nothing was sent.
    #[error("RabbitMQ is not connected; nothing was sent")]
    NotConnected,
    /// The broker takes no publishes now (out of memory or disk). Nothing was sent.
    #[error("RabbitMQ takes no messages at present; nothing was sent")]
    Blocked,
    /// Its turn did not come within [`PUBLISH_TIMEOUT`]. Nothing was sent.
    #[error("too many messages wait to be published; nothing was sent")]
    Busy,
    /// The broker knows no queue for it, and has dropped it.
    #[error("RabbitMQ has no queue for `{routing_key}` at `{exchange}`")]
    Returned {
        /// The exchange it was sent to.
        exchange: String,
        /// Its routing key.
        routing_key: String,
    },
    /// The broker refused it: the queue is full, or lost its majority.
    #[error("RabbitMQ refused the message")]
    Nacked,
    /// It was sent, and no confirm came. The broker may have it or not.
    #[error("RabbitMQ did not confirm the message: {0}")]
    Unknown(String),
}

impl PublishError {
    /// Whether it is certain that no queue holds the message.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        match self {
            Self::NotConnected | Self::Blocked | Self::Busy | Self::Returned { .. } | Self::Nacked => true,
            Self::Unknown(_) => false,
        }
    }

    /// A word for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotConnected => "not_connected",
            Self::Blocked => "blocked",
            Self::Busy => "busy",
            Self::Returned { .. } => "returned",
            Self::Nacked => "nacked",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The result for each message of a batch, in its order.
pub type PublishResults = Vec<Result<(), PublishError>>;

/// Publishes messages. Cheap to clone; all clones share one channel.
#[derive(Debug, Clone)]
pub struct Publisher {
    requests: mpsc::Sender<Request>,
    link: Link,
}

#[derive(Debug)]
struct Request {
    batch: Vec<Outgoing>,
    asked_at: Instant,
    results: oneshot::Sender<PublishResults>,
}

impl Publisher {
    /// Starts the one task that writes to the publishing channel. It ends with the last clone.
    pub(super) fn start(link: Link) -> Self {
        let (requests, asked) = mpsc::channel(REQUESTS_MAX);
        let writer = Writer { link: link.clone(), channel: None };
        tokio::spawn(writer.run(asked));
        Self { requests, link }
    }

    /// Publishes a batch: everything is sent, then all confirms are awaited together. The results
    /// are in the order of the batch. Takes at most about ten seconds, and a millisecond or two
    /// when all is well; dropping the future does not take the messages back.
    pub async fn publish(&self, batch: Vec<Outgoing>) -> PublishResults {
        let len = batch.len();
        if len == 0 {
            return Vec::new();
        }
        if let Some(refusal) = self.refusal() {
            return refused(len, &refusal);
        }
        let (results, answer) = oneshot::channel();
        let request = Request { batch, asked_at: Instant::now(), results };
        match self.requests.send_timeout(request, PUBLISH_TIMEOUT).await {
            Ok(()) => {}
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                return refused(len, &PublishError::Busy);
            }
            Err(mpsc::error::SendTimeoutError::Closed(_)) => {
                return refused(len, &PublishError::NotConnected);
            }
        }
        let gone = || refused(len, &PublishError::Unknown("the publisher stopped".to_owned()));
        answer.await.unwrap_or_else(|_| gone())
    }

    /// Why a publish would not even be tried now.
    pub(super) fn refusal(&self) -> Option<PublishError> {
        match self.link.state() {
            LinkState::Up => None,
            LinkState::Down => Some(PublishError::NotConnected),
            LinkState::Blocked => Some(PublishError::Blocked),
        }
    }
}

fn refused(len: usize, error: &PublishError) -> PublishResults {
    vec![Err(error.clone()); len]
}

/// The one user of the publishing channel: lapin numbers messages and queues their frames in two
/// steps, so two tasks that publish on clones of one channel could get each other's confirms.
struct Writer {
    link: Link,
    channel: Option<(Channel, Session)>,
}

impl Writer {
    async fn run(mut self, mut asked: mpsc::Receiver<Request>) {
        let mut requests = Vec::new();
        let mut held: Option<Request> = None;
        loop {
            // A batch forms by itself from whatever waits while the one before is on its way.
            let mut size = 0;
            if let Some(request) = held.take() {
                size += request.batch.len();
                requests.push(request);
            } else {
                let Some(request) = asked.recv().await else {
                    return;
                };
                size += request.batch.len();
                requests.push(request);
            }
            while size < BATCH_MAX {
                let Ok(request) = asked.try_recv() else { break };
                if size + request.batch.len() > BATCH_MAX {
                    held = Some(request);
                    break;
                }
                size += request.batch.len();
                requests.push(request);
            }
            self.serve(&mut requests).await;
        }
    }

    async fn serve(&mut self, requests: &mut Vec<Request>) {
        let mut batch = Vec::new();
        let mut waiting = Vec::new();
        for request in requests.drain(..) {
            let len = request.batch.len();
            if request.asked_at.elapsed() > PUBLISH_TIMEOUT {
                let _ = request.results.send(refused(len, &PublishError::Busy));
            } else {
                batch.extend(request.batch);
                waiting.push((len, request.results));
            }
        }
        let mut results = Vec::with_capacity(batch.len());
        for chunk in batch.chunks(BATCH_MAX) {
            results.extend(self.publish(chunk).await);
        }
        count(&batch, &results);
        for (len, answer) in waiting {
            // Whoever asked may have stopped listening.
            let _ = answer.send(results.drain(..len).collect());
        }
    }

    async fn publish(&mut self, batch: &[Outgoing]) -> PublishResults {
        let (channel, session) = match self.open_channel().await {
            Ok(open) => open,
            Err(error) => return refused(batch.len(), &error),
        };
        let sending = batch.iter().enumerate().map(|(place, message)| send(&channel, message, place));
        let sent = join_all(sending.map(|confirm| timeout(PUBLISH_TIMEOUT, confirm))).await;
        let answers: Vec<Answer> = sent
            .into_iter()
            .map(|sent| match sent {
                Ok(Ok(confirmation)) => Answer::from(confirmation),
                Ok(Err(error)) => Answer::Failed(error.to_string()),
                Err(_) => Answer::TimedOut,
            })
            .collect();

        if answers.iter().any(|answer| matches!(answer, Answer::Failed(_))) {
            // The channel is gone, perhaps because an exchange is: connect and declare again.
            self.channel = None;
            self.link.complain(&session);
        } else if answers.iter().any(|answer| matches!(answer, Answer::TimedOut)) {
            // Late confirms must not be taken for those of the next batch. A blocked broker will
            // answer once it is no longer blocked; any other silence means that it is gone.
            self.channel = None;
            if self.link.state() == LinkState::Up {
                self.link.complain(&session);
            }
        }
        judge(batch, answers)
    }

    async fn open_channel(&mut self) -> Result<(Channel, Session), PublishError> {
        match self.link.state() {
            LinkState::Up => {}
            LinkState::Down => return Err(PublishError::NotConnected),
            LinkState::Blocked => return Err(PublishError::Blocked),
        }
        let session = self.link.session().ok_or(PublishError::NotConnected)?;
        if let Some((channel, of)) = &self.channel
            && of.number == session.number
            && channel.status().connected()
        {
            return Ok((channel.clone(), session));
        }
        let opening = async {
            let channel = session.connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok::<_, lapin::Error>(channel)
        };
        if let Ok(Ok(channel)) = timeout(PUBLISH_TIMEOUT, opening).await {
            self.channel = Some((channel.clone(), session.clone()));
            Ok((channel, session))
        } else {
            self.channel = None;
            self.link.complain(&session);
            Err(PublishError::NotConnected)
        }
    }
}

/// Resolves when the broker has confirmed the message. The frames are queued at the first poll, so
/// polling many of these in turn sends them all before any confirm is awaited.
async fn send(channel: &Channel, message: &Outgoing, place: usize) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    channel
        .basic_publish(
            message.exchange.into(),
            message.routing_key.as_str().into(),
            options,
            &message.body,
            message.properties(place),
        )
        .await?
        .await
}

/// What became of one publish, as lapin tells it.
enum Answer {
    /// Confirmed, perhaps with a returned message hung on it: the place in the batch that one had.
    Acked {
        returned: Option<usize>,
    },
    /// Refused, likewise.
    Nacked {
        returned: Option<usize>,
    },
    Failed(String),
    TimedOut,
}

impl From<Confirmation> for Answer {
    fn from(confirmation: Confirmation) -> Self {
        let place = |back: Option<BasicReturnMessage>| {
            let properties = back?.delivery.properties;
            properties.correlation_id().as_ref()?.as_str().parse().ok()
        };
        match confirmation {
            Confirmation::Ack(back) => Self::Acked { returned: place(back) },
            Confirmation::Nack(back) => Self::Nacked { returned: place(back) },
            Confirmation::NotRequested => Self::Failed("confirms were not on".to_owned()),
        }
    }
}

/// Decides each message of a batch.
///
/// An unroutable message is first returned, then acked. lapin hangs the returned message on
/// whichever confirm it completes next, and when the broker confirms several at once that is often
/// another message's. So the returned messages are collected by their place, and only then is each
/// message judged: published is what was acked and not returned.
fn judge(batch: &[Outgoing], answers: Vec<Answer>) -> PublishResults {
    let returned: HashSet<usize> = answers
        .iter()
        .filter_map(|answer| match answer {
            Answer::Acked { returned } | Answer::Nacked { returned } => *returned,
            Answer::Failed(_) | Answer::TimedOut => None,
        })
        .collect();
    let judged = batch.iter().zip(answers).enumerate().map(|(place, (message, answer))| {
        if returned.contains(&place) {
            return Err(PublishError::Returned {
                exchange: message.exchange.to_owned(),
                routing_key: message.routing_key.clone(),
            });
        }
        match answer {
            Answer::Acked { .. } => Ok(()),
            Answer::Nacked { .. } => Err(PublishError::Nacked),
            Answer::Failed(error) => Err(PublishError::Unknown(error)),
            Answer::TimedOut => Err(PublishError::Unknown(format!("no confirm within {PUBLISH_TIMEOUT:?}"))),
        }
    });
    judged.collect()
}

fn count(batch: &[Outgoing], results: &PublishResults) {
    for (message, result) in batch.iter().zip(results) {
        let outcome = result.as_ref().map_or_else(PublishError::kind, |()| "confirmed");
        let kind = message.kind.as_str();
        metrics::counter!("naru_broker_published_total", "kind" => kind, "outcome" => outcome).increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{Hint, WorkQueue};
    use crate::domain::operation::Urgency;

    #[test]
    fn a_returned_message_counts_against_its_own_publish_wherever_it_was_hung() {
        let hint =
            Hint { operation: uuid::Uuid::nil(), attempt: 1, due_at: time::OffsetDateTime::UNIX_EPOCH, waited: 0 };
        let queue = WorkQueue::new("card", Urgency::Pay);
        let batch: Vec<Outgoing> = (0..3).map(|_| Outgoing::work(queue, &hint)).collect();
        let answers = vec![
            Answer::Acked { returned: None },
            Answer::Acked { returned: None },
            Answer::Acked { returned: Some(1) },
        ];
        let results = judge(&batch, answers);
        assert_eq!(results[0], Ok(()));
        assert!(matches!(results[1], Err(PublishError::Returned { .. })));
        assert_eq!(results[2], Ok(()));
    }
}
