//! The headers of a delivery, read with care: anybody may have written them.

use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

/// The trace a message belongs to (W3C Trace Context).
pub(super) const TRACEPARENT: &str = "traceparent";
/// Why a message was made a dead letter by us.
pub(super) const REASON: &str = "naru-reason";
/// Which queue it died in.
pub(super) const FROM_QUEUE: &str = "naru-from-queue";

/// Longer header texts are not ours, and no use.
const TEXT_MAX: usize = 256;
/// Tables and lists within each other that are shown; what is deeper was nested to do harm.
const DEPTH_MAX: usize = 16;

/// The headers of a delivery.
#[derive(Debug, Clone, Default)]
pub struct Headers(FieldTable);

/// How a message came to be a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// `rejected`, `delivery_limit`, `expired`, `maxlen`; or our own reason.
    pub reason: String,
    /// The queue it died in.
    pub queue: String,
    /// When, to the second, if the broker says.
    pub at: Option<OffsetDateTime>,
}

impl Headers {
    pub(super) fn new(table: Option<FieldTable>) -> Self {
        Self(table.unwrap_or_default())
    }

    /// A textual header of at most 256 bytes.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        text(self.0.inner().get(name)?)
    }

    /// The trace this message belongs to, unchecked.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.text(TRACEPARENT)
    }

    /// How often the broker has delivered this message before and got it back; not the number of
    /// attempts, which only the row knows.
    #[must_use]
    pub fn delivery_count(&self) -> u64 {
        self.0.inner().get("x-delivery-count").and_then(number).unwrap_or(0)
    }

    /// How the message died: what we wrote on it ourselves, else what the broker noted last.
    #[must_use]
    pub fn death(&self) -> Option<Death> {
        if let Some(reason) = self.text(REASON) {
            return Some(Death {
                reason: reason.to_owned(),
                queue: self.text(FROM_QUEUE).unwrap_or_default().to_owned(),
                at: None,
            });
        }
        // Newest first.
        let AMQPValue::FieldArray(deaths) = self.0.inner().get("x-death")? else {
            return None;
        };
        let AMQPValue::FieldTable(death) = deaths.as_slice().first()? else {
            return None;
        };
        let death = death.inner();
        let at = death
            .get("time")
            .and_then(number)
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok());
        Some(Death { reason: text(death.get("reason")?)?.to_owned(), queue: text(death.get("queue")?)?.to_owned(), at })
    }

    /// Everything, for the archive. What is not text is shown as JSON comes closest to it, and what Postgres has no
    /// text for as [`storable`] has it; beyond 16 levels of nesting there is `…`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        table(&self.0, DEPTH_MAX)
    }
}

/// A text as Postgres can store it: the NUL character, which it can't, becomes U+FFFD.
#[must_use]
pub fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn text(value: &AMQPValue) -> Option<&str> {
    let text = if let AMQPValue::LongString(text) = value {
        std::str::from_utf8(text.as_bytes()).ok()?
    } else if let AMQPValue::ShortString(text) = value {
        text.as_str()
    } else {
        return None;
    };
    (text.len() <= TEXT_MAX).then_some(text)
}

fn number(number: &AMQPValue) -> Option<u64> {
    value(number, 0).as_u64()
}

fn table(table: &FieldTable, depth: usize) -> Value {
    let entries = table.inner().iter();
    Value::Object(entries.map(|(name, v)| (storable(name.as_str()), value(v, depth))).collect::<Map<_, _>>())
}

/// A value, with so many levels below it.
fn value(value: &AMQPValue, depth: usize) -> Value {
    match value {
        AMQPValue::Boolean(b) => json!(b),
        AMQPValue::ShortShortInt(n) => json!(n),
        AMQPValue::ShortShortUInt(n) => json!(n),
        AMQPValue::ShortInt(n) => json!(n),
        AMQPValue::ShortUInt(n) => json!(n),
        AMQPValue::LongInt(n) => json!(n),
        AMQPValue::LongUInt(n) => json!(n),
        AMQPValue::LongLongInt(n) => json!(n),
        AMQPValue::Timestamp(n) => json!(n),
        AMQPValue::Float(n) => json!(n),
        AMQPValue::Double(n) => json!(n),
        AMQPValue::DecimalValue(n) => json!(format!("{n:?}")),
        AMQPValue::ShortString(text) => json!(storable(text.as_str())),
        AMQPValue::LongString(text) => json!(storable(&String::from_utf8_lossy(text.as_bytes()))),
        AMQPValue::ByteArray(bytes) => json!(storable(&String::from_utf8_lossy(bytes.as_slice()))),
        AMQPValue::FieldArray(_) | AMQPValue::FieldTable(_) if depth == 0 => json!("…"),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(|v| self::value(v, depth - 1)).collect(),
        AMQPValue::FieldTable(inner) => self::table(inner, depth - 1),
        AMQPValue::Void => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::types::{FieldArray, ShortString};

    fn headers(entries: Vec<(&str, AMQPValue)>) -> Headers {
        Headers(table_of(entries))
    }

    fn table_of(entries: Vec<(&str, AMQPValue)>) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert(ShortString::from(name), value);
        }
        table
    }

    fn words(text: &str) -> AMQPValue {
        AMQPValue::LongString(text.into())
    }

    #[test]
    fn the_newest_death_is_the_one_that_counts() {
        let death = |queue, seconds| {
            AMQPValue::FieldTable(table_of(vec![
                ("reason", words("rejected")),
                ("queue", words(queue)),
                ("time", AMQPValue::Timestamp(seconds)),
                ("count", AMQPValue::LongLongInt(1)),
            ]))
        };
        let mut deaths = FieldArray::default();
        deaths.push(death("work.pay.card", 1_790_000_000));
        deaths.push(death("naru.wait.1s", 1_700_000_000));
        let headers = headers(vec![("x-death", AMQPValue::FieldArray(deaths))]);
        let death = headers.death().unwrap();
        assert_eq!((death.reason.as_str(), death.queue.as_str()), ("rejected", "work.pay.card"));
        assert_eq!(death.at.map(OffsetDateTime::unix_timestamp), Some(1_790_000_000));
    }

    #[test]
    fn our_own_reason_comes_first() {
        let headers = headers(vec![(REASON, words("exhausted")), (FROM_QUEUE, words("work.back.card"))]);
        let death = headers.death().unwrap();
        assert_eq!((death.reason.as_str(), death.queue.as_str()), ("exhausted", "work.back.card"));
    }

    #[test]
    fn what_is_not_as_expected_is_as_if_it_were_not_there() {
        let strange = headers(vec![
            ("traceparent", AMQPValue::LongString(vec![0xff, 0xfe].into())),
            ("x-delivery-count", words("many")),
            ("x-death", AMQPValue::Boolean(true)),
            ("long", words(&"x".repeat(TEXT_MAX + 1))),
        ]);
        assert_eq!(strange.traceparent(), None);
        assert_eq!(strange.delivery_count(), 0);
        assert_eq!(strange.death(), None);
        assert_eq!(strange.text("long"), None);
        assert_eq!(strange.to_json()["x-delivery-count"], "many");
        let negative = headers(vec![("x-delivery-count", AMQPValue::LongLongInt(-1))]);
        assert_eq!(negative.delivery_count(), 0);
        let twice = headers(vec![("x-delivery-count", AMQPValue::LongLongInt(2))]);
        assert_eq!(twice.delivery_count(), 2);
    }

    #[test]
    fn what_is_archived_can_be_stored() {
        let inner = AMQPValue::FieldTable(table_of(vec![("in\0side", AMQPValue::ByteArray(b"d\0e".to_vec().into()))]));
        let nul = headers(vec![("a\0b", words("\0c")), ("table", inner)]);
        assert_eq!(nul.to_json(), json!({ "a\u{fffd}b": "\u{fffd}c", "table": { "in\u{fffd}side": "d\u{fffd}e" } }));
        let deep = (0..1_000).fold(words("bottom"), |inner, _| {
            let mut array = FieldArray::default();
            array.push(inner);
            AMQPValue::FieldArray(array)
        });
        let mut shown = &headers(vec![("deep", deep)]).to_json()["deep"];
        let mut levels = 0;
        while let Some(below) = shown.get(0) {
            (shown, levels) = (below, levels + 1);
        }
        assert_eq!((levels, shown), (DEPTH_MAX, &json!("…")));
    }
}
