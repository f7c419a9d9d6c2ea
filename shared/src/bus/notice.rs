//! What travels over Redis: that a payment has a new version. A wake-up, never the source.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Channels a payment may be announced on. Every process subscribes to all of them, once; a subscription per payment would
/// race with its first event and would have to be made again by the thousand after a reconnect.
pub(super) const SHARDS: u8 = 16;

/// A payment has a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which payment.
    pub payment: Uuid,
    /// Its version now, or then: notices may be late, repeated and out of order.
    pub version: i64,
    /// Its status at that version.
    pub status: String,
}

impl Notice {
    pub(super) fn channel(&self, prefix: &str) -> String {
        // The last byte of a version 7 UUID is random.
        let [.., last] = *self.payment.as_bytes();
        channel(prefix, last % SHARDS)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        // A UUID, a number and a string: there is nothing in it that could fail to serialize.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }
}

/// Every channel there is.
pub(super) fn channels(prefix: &str) -> Vec<String> {
    (0..SHARDS).map(|shard| channel(prefix, shard)).collect()
}

fn channel(prefix: &str, shard: u8) -> String {
    format!("{prefix}:pay:{shard}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_reads_back_and_goes_to_a_channel_everybody_hears() {
        for n in 0..100u128 {
            let notice = Notice { payment: Uuid::from_u128(n), version: 7, status: "DONE".to_owned() };
            assert_eq!(Notice::decode(&notice.encode()), Some(notice.clone()));
            assert!(channels("naru").contains(&notice.channel("naru")));
        }
    }

    #[test]
    fn what_is_no_notice_is_nothing() {
        for payload in [&b""[..], b"{}", b"\xff", br#"{"payment":"x","version":1,"status":"DONE"}"#] {
            assert_eq!(Notice::decode(payload), None);
        }
    }
}
