//! When and from where merchants' keys were used, for whoever wonders which key is still needed.
//!
//! A request only leaves a note in memory; a task writes the notes down, each key's at most once a minute. So no payment
//! waits for it, and a note may be lost when the process is killed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use naru_shared::clock::Clock as _;
use naru_shared::domain::id::ApiKeyId;
use naru_shared::store::{KeyUsed, Store};
use naru_shared::system::System;
use tokio_util::sync::CancellationToken;

use crate::browser::network;

/// How often notes are looked through.
const EVERY: Duration = Duration::from_secs(1);
/// A key's use is written down no more often than this.
const AT_MOST_EVERY: Duration = Duration::from_secs(60);
/// Keys that were not used for so long are forgotten here.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// Notes of keys' uses. Only keys that are somebody's get here, so there are no more notes than keys.
#[derive(Debug, Default)]
pub struct KeyUses {
    notes: Mutex<HashMap<ApiKeyId, Note>>,
}

#[derive(Debug)]
struct Note {
    used: Instant,
    place: Vec<u8>,
    /// When it was last handed to be written down.
    handed_on: Option<Instant>,
    /// Whether it was used since.
    is_new: bool,
}

impl KeyUses {
    /// Notes that a key was used now, from this place.
    pub fn note(&self, key: ApiKeyId, place: &[u8], now: Instant) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let note =
            notes.entry(key).or_insert_with(|| Note { used: now, place: Vec::new(), handed_on: None, is_new: true });
        note.used = now;
        note.is_new = true;
        note.place.clear();
        note.place.extend_from_slice(place);
    }

    /// What is to be written down now; each key at most once a minute.
    fn due(&self, now: Instant) -> Vec<KeyUsed> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.retain(|_, note| note.is_new || now.duration_since(note.used) < FORGOTTEN_AFTER);
        notes
            .iter_mut()
            .filter(|(_, note)| note.is_new)
            .filter(|(_, note)| note.handed_on.is_none_or(|at| now.duration_since(at) >= AT_MOST_EVERY))
            .map(|(key, note)| {
                note.is_new = false;
                note.handed_on = Some(now);
                KeyUsed { key: *key, ago: now.duration_since(note.used), from: network(&note.place) }
            })
            .collect()
    }

    /// What could not be written down is tried again at the next look, with everything newer.
    fn take_back(&self, uses: &[KeyUsed]) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        for used in uses {
            if let Some(note) = notes.get_mut(&used.key) {
                note.is_new = true;
                note.handed_on = None;
            }
        }
    }

    /// Writes notes down until `shutdown`, and then once more.
    pub async fn write_down(self: Arc<Self>, store: Store, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let goes_on = shutdown.run_until_cancelled(tick.tick()).await.is_some();
            let uses = self.due(System.monotonic());
            if !uses.is_empty()
                && let Err(error) = store.note_key_uses(&uses).await
            {
                tracing::warn!(%error, "uses of keys are not written down yet");
                self.take_back(&uses);
            }
            if !goes_on {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const HERE: &[u8] = &[203, 0, 113, 7];

    #[test]
    fn a_use_is_written_down_at_once_and_then_once_a_minute() {
        let (uses, key, begun) = (KeyUses::default(), ApiKeyId(Uuid::from_u128(1)), System.monotonic());
        let at = |seconds| begun + Duration::from_secs(seconds);
        uses.note(key, &[198, 51, 100, 1], at(0));
        uses.note(key, HERE, at(1));
        let first = KeyUsed { key, ago: Duration::from_secs(1), from: Some("203.0.113.0/24".to_owned()) };
        assert_eq!(uses.due(at(2)), [first], "the newest use counts");
        for second in 3..60 {
            uses.note(key, HERE, at(second));
            assert_eq!(uses.due(at(second)), [], "{second} s");
        }
        assert_eq!(uses.due(at(62)).len(), 1);
        assert_eq!(uses.due(at(200)), [], "it was not used since");
        uses.note(key, HERE, at(200));
        assert_eq!(uses.due(at(200)).len(), 1);
    }

    #[test]
    fn what_was_not_written_down_is_tried_again_and_what_is_old_is_forgotten() {
        let (uses, key, begun) = (KeyUses::default(), ApiKeyId(Uuid::from_u128(1)), System.monotonic());
        let at = |seconds| begun + Duration::from_secs(seconds);
        uses.note(key, HERE, at(0));
        let lost = uses.due(at(0));
        uses.take_back(&lost);
        assert_eq!(uses.due(at(1)).len(), 1);
        assert_eq!(uses.due(at(700)), []);
        assert!(uses.notes.lock().unwrap().is_empty());
    }
}
