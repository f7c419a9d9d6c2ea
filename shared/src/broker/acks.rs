//! Turns "this delivery is finished", in any order and from any task, into few acks on the wire.

use std::collections::{BTreeMap, BTreeSet};

use lapin::{
    Acker,
    options::{BasicAckOptions, BasicRejectOptions},
};
use tokio::sync::mpsc;

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Work done, or nothing to do: gone from the queue.
    Done,
    /// Refused: to the dead letters.
    Rejected,
    /// Dropped without a word: it stays unacknowledged until the channel ends.
    Abandoned,
}

/// A finished delivery, on its way to the one writer of its channel.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) tag: u64,
    pub(super) acker: Acker,
    pub(super) ending: Ending,
}

/// Why the acker of a channel stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum AckerEnd {
    /// An ack did not go out: what it acknowledged is delivered again.
    #[error("an acknowledgement failed: {0}")]
    Failed(#[from] lapin::Error),
    /// The channel had ended before.
    #[error("the channel had ended before an acknowledgement")]
    ChannelGone,
    /// Every place of the prefetch is held by a delivery nobody will ever settle.
    #[error("all {0} deliveries the prefetch allows were dropped unsettled")]
    Stalled(usize),
}

/// Runs until every delivery of the channel is settled and the consumer let go of its sender, or
/// until the channel fails. It is the only writer of acks on its channel.
pub(super) async fn run(mut settled: mpsc::UnboundedReceiver<Settlement>, prefetch: u16) -> Result<(), AckerEnd> {
    let mut ledger = Ledger::default();
    let mut abandoned = 0;
    let mut batch = Vec::new();
    // Bounded by the prefetch: a delivery is settled at most once.
    while settled.recv_many(&mut batch, usize::from(prefetch).max(1)).await > 0 {
        let mut done = BTreeMap::new();
        for Settlement { tag, acker, ending } in batch.drain(..) {
            match ending {
                Ending::Done => {
                    done.insert(tag, acker);
                }
                Ending::Rejected => {
                    let sent = acker.reject(BasicRejectOptions { requeue: false }).await?;
                    in_time(sent)?;
                    ledger.settled_alone(tag);
                }
                Ending::Abandoned => abandoned += 1,
            }
        }
        for Ack { tag, multiple } in ledger.finish(done.keys().copied()) {
            if let Some(acker) = done.get(&tag) {
                in_time(acker.ack(BasicAckOptions { multiple }).await?)?;
            }
        }
        if abandoned >= usize::from(prefetch) {
            return Err(AckerEnd::Stalled(abandoned));
        }
    }
    Ok(())
}

/// lapin says `false` when the channel ended first: not an error there, but a redelivery here.
fn in_time(sent: bool) -> Result<(), AckerEnd> {
    sent.then_some(()).ok_or(AckerEnd::ChannelGone)
}

/// One `basic.ack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ack {
    tag: u64,
    /// Whether it covers everything unsettled up to the tag.
    multiple: bool,
}

/// Which tags of a channel are settled. Tags count from 1 without holes.
#[derive(Debug, Default)]
struct Ledger {
    /// Everything up to and including this tag is settled.
    settled_to: u64,
    /// Settled beyond the first gap.
    settled_ahead: BTreeSet<u64>,
}

impl Ledger {
    /// A tag that was settled by itself.
    fn settled_alone(&mut self, tag: u64) {
        self.settled_ahead.insert(tag);
        self.advance();
    }

    /// The acks for what has finished, in the order to send them: at most one `multiple`, up to
    /// the highest finished tag below the first gap, then one for each tag beyond it. `multiple`
    /// must name a tag that is still unsettled, or the broker closes the channel.
    fn finish(&mut self, finished: impl Iterator<Item = u64>) -> Vec<Ack> {
        let finished: BTreeSet<u64> = finished.collect();
        self.settled_ahead.extend(&finished);
        self.advance();

        let below: Vec<u64> = finished.range(..=self.settled_to).copied().collect();
        let mut acks = Vec::new();
        if let Some(&tag) = below.last() {
            acks.push(Ack { tag, multiple: below.len() > 1 });
        }
        let beyond = finished.range(self.settled_to + 1..);
        acks.extend(beyond.map(|&tag| Ack { tag, multiple: false }));
        acks
    }

    fn advance(&mut self) {
        while self.settled_ahead.remove(&(self.settled_to + 1)) {
            self.settled_to += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn one(tag: u64) -> Ack {
        Ack { tag, multiple: false }
    }

    const fn up_to(tag: u64) -> Ack {
        Ack { tag, multiple: true }
    }

    #[test]
    fn what_is_contiguous_takes_one_ack() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.finish([1, 2, 3].into_iter()), [up_to(3)]);
        assert_eq!(ledger.finish([4].into_iter()), [one(4)]);
    }

    #[test]
    fn beyond_a_gap_each_is_acked_alone_and_never_again() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.finish([1, 2, 4, 6].into_iter()), [up_to(2), one(4), one(6)]);
        assert_eq!(ledger.finish([3].into_iter()), [one(3)], "4 is settled");
        assert_eq!(ledger.finish([5, 7, 8].into_iter()), [up_to(8)]);
    }

    #[test]
    fn multiple_names_a_tag_that_is_still_open() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.finish([3].into_iter()), [one(3)]);
        assert_eq!(ledger.finish([1, 2].into_iter()), [up_to(2)], "not 3, which is settled");
    }

    #[test]
    fn a_rejected_delivery_closes_its_gap() {
        let mut ledger = Ledger::default();
        ledger.settled_alone(1);
        assert_eq!(ledger.finish([2, 3].into_iter()), [up_to(3)]);
        ledger.settled_alone(5);
        assert_eq!(ledger.finish([4, 6].into_iter()), [up_to(6)]);
    }

    proptest! {
        /// A broker that knows what is delivered and settled checks every ack it gets.
        #[test]
        fn everything_finished_is_acked_once_and_nothing_else(
            order in Just((1u64..=40).collect::<Vec<_>>()).prop_shuffle(),
            cuts in proptest::collection::vec(1usize..8, 1..40),
            rejected in proptest::collection::btree_set(1u64..=40, 0..10),
            never in proptest::collection::btree_set(1u64..=40, 0..5),
        ) {
            let mut ledger = Ledger::default();
            let mut open: BTreeSet<u64> = (1..=40).collect();
            let mut finished: BTreeSet<u64> = BTreeSet::new();
            let mut order = order.into_iter().filter(|tag| !never.contains(tag)).peekable();
            let mut cuts = cuts.into_iter().cycle();
            while order.peek().is_some() {
                let batch: Vec<u64> = order.by_ref().take(cuts.next().unwrap_or(1)).collect();
                let (refused, done): (Vec<u64>, Vec<u64>) =
                    batch.into_iter().partition(|tag| rejected.contains(tag));
                for tag in refused {
                    prop_assert!(open.remove(&tag));
                    ledger.settled_alone(tag);
                }
                finished.extend(&done);
                for ack in ledger.finish(done.into_iter()) {
                    prop_assert!(open.contains(&ack.tag), "the broker would close the channel");
                    let covered: Vec<u64> = if ack.multiple {
                        open.range(..=ack.tag).copied().collect()
                    } else {
                        vec![ack.tag]
                    };
                    for tag in covered {
                        prop_assert!(finished.contains(&tag), "{tag} was not finished");
                        open.remove(&tag);
                    }
                }
            }
            prop_assert_eq!(open, never);
        }
    }
}
