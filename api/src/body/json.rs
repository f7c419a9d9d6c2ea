//! From bytes to one JSON object, stricter than JSON itself: no key twice, not too deep, no control characters.

use std::cell::Cell;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::problem::{Problem, Reason};

/// Objects and arrays within each other.
const DEPTH_MAX: usize = 32;

/// The one object that `bytes` are. Nothing at all is an empty object; members that are explicitly `null` are absent.
///
/// # Errors
/// `INVALID_UTF8`, `MALFORMED_JSON`, `DUPLICATE_JSON_KEY`, `BODY_TOO_DEEP`, `CONTROL_CHARACTER`.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::because(Reason::InvalidUtf8))?;
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    if text.is_empty() {
        return Ok(Map::new());
    }
    let refused = Cell::new(Reason::MalformedJson);
    let mut json = serde_json::Deserializer::from_str(text);
    let strict = Strict { depth: 0, refused: &refused };
    let value = strict.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    match value {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Problem::because(refused.get())),
    }
}

/// One value at some depth; on a refusal of ours, `refused` says which.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    refused: &'a Cell<Reason>,
}

impl Strict<'_> {
    fn refuse<E: Error>(&self, reason: Reason) -> E {
        self.refused.set(reason);
        E::custom(reason.as_str())
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth < DEPTH_MAX {
            true => Ok(Self { depth: self.depth + 1, ..self }),
            false => Err(self.refuse(Reason::BodyTooDeep)),
        }
    }

    fn text<E: Error>(&self, text: &str) -> Result<(), E> {
        let forbidden = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
        match text.contains(forbidden) {
            true => Err(self.refuse(Reason::ControlCharacter)),
            false => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // Whatever is not an integer of 64 bits: 0.1, 1e4, -0, 2^64. Kept as what it is, so that a field can refuse it.
        Number::from_f64(value).map(Value::Number).ok_or_else(|| self.refuse(Reason::MalformedJson))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.text(text)?;
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut seen = std::collections::HashSet::new();
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            self.text(&key)?;
            let value = members.next_value_seed(inside)?;
            if !seen.insert(key.clone()) {
                return Err(self.refuse(Reason::DuplicateJsonKey));
            }
            if !value.is_null() {
                object.insert(key, value);
            }
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn refused(bytes: impl AsRef<[u8]>) -> Option<Reason> {
        parse_object(bytes.as_ref()).err().and_then(|problem| problem.reason())
    }

    #[test]
    fn what_is_no_good_object_has_its_own_reason() {
        let deep = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        let table: [(&[u8], Reason); 24] = [
            (b"[]", Reason::MalformedJson),
            (b"null", Reason::MalformedJson),
            (b"\"text\"", Reason::MalformedJson),
            (b"{", Reason::MalformedJson),
            (b"{}{}", Reason::MalformedJson),
            (b"{} x", Reason::MalformedJson),
            (b"{'a':1}", Reason::MalformedJson),
            (b"{\"a\":1,}", Reason::MalformedJson),
            (b"{\"a\":01}", Reason::MalformedJson),
            (b"{\"a\":+1}", Reason::MalformedJson),
            (b"{\"a\":NaN}", Reason::MalformedJson),
            (b"{\"a\":1e309}", Reason::MalformedJson),
            (b"{\"a\":\"\\ud800\"}", Reason::MalformedJson),
            (b"{\"a\":\"\x01\"}", Reason::MalformedJson),
            (b"\xef\xbb\xbf{}", Reason::MalformedJson),
            (b"{\"a\":\"\0\"}", Reason::MalformedJson),
            (b"\0{}", Reason::MalformedJson),
            (b"{\"a\":\"\\u0000\"}", Reason::ControlCharacter),
            (b"{\"a\\u0000\":1}", Reason::ControlCharacter),
            (b"{\"a\":[{\"b\":\"\\u001b\"}]}", Reason::ControlCharacter),
            (b"{\"a\":\"\xc2\x85\"}", Reason::ControlCharacter),
            (b"{\"a\":1,\"a\":1}", Reason::DuplicateJsonKey),
            (b"{\"o\":{\"a\":null,\"\\u0061\":1}}", Reason::DuplicateJsonKey),
            (b"{\"a\":\"\xff\"}", Reason::InvalidUtf8),
        ];
        for (bytes, reason) in table {
            assert_eq!(refused(bytes), Some(reason), "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(refused(deep(31)), None);
        assert_eq!(refused(deep(32)), Some(Reason::BodyTooDeep));
        assert_eq!(refused(deep(100)), Some(Reason::BodyTooDeep));
        assert_eq!(refused(deep(20_000)), Some(Reason::BodyTooDeep));
    }

    #[test]
    fn null_is_absent_and_nothing_is_an_empty_object() {
        assert_eq!(parse_object(b" \r\n").unwrap(), Map::new());
        let object = parse_object(br#"{"a":null,"b":{"c":null,"d":1},"e":[null],"f":"x\ny"}"#).unwrap();
        assert_eq!(Value::Object(object), json!({"b": {"d": 1}, "e": [null], "f": "x\ny"}));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = parse_object(&bytes);
        }

        #[test]
        fn nothing_that_looks_like_json_panics(text in r#"[{}\[\]":,0-9eE.+\-\\u nultrefas\x00\x1f가]{0,64}"#) {
            let _ = parse_object(text.as_bytes());
        }

        #[test]
        fn a_key_twice_is_always_noticed(key in "[a-z]{1,3}", between in "[A-Z]{1,3}") {
            let text = format!(r#"{{"{key}":1,"{between}":[{{}}],"{key}":{{}}}}"#);
            prop_assert_eq!(refused(text), Some(Reason::DuplicateJsonKey));
        }
    }
}
