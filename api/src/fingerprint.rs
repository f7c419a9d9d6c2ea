//! What tells two bodies apart under one idempotency key, without keeping either.
//!
//! The order of keys, white space, explicit nulls, ignored fields, and whether an integer was sent as a string make no
//! difference. The card number counts by its keyed hash with separators taken out; CVC, card password and identity
//! number don't count at all, because nothing made from them may be kept.

use std::collections::BTreeMap;
use std::fmt;

use naru_shared::secret::{CardNumber, keyed_hash_of_parts, same};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Names, at any depth, of fields of which nothing may be kept.
const LEFT_OUT: [&str; 8] = [
    "cvc",
    "cardCvc",
    "cardSecurityCode",
    "password",
    "cardPassword",
    "identityNumber",
    "customerIdentityNumber",
    "customerBirthday",
];

/// Names, at any depth, of fields that hold a card number.
const CARD_NUMBERS: [&str; 2] = ["number", "cardNumber"];

/// A keyed hash of every field of a body, by its path. Printing it shows the paths only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint {
    fields: BTreeMap<String, FieldHash>,
}

/// 128 bits of a keyed hash, as hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct FieldHash(String);

impl Fingerprint {
    /// The fingerprint of a body that was understood; `key` is derived for this purpose alone.
    #[must_use]
    pub fn of(body: &Map<String, Value>, key: &[u8; 32]) -> Self {
        let mut fields = BTreeMap::new();
        collect(body, "", key, &mut fields);
        Self { fields }
    }

    /// One value for the whole body, to compare at once.
    #[must_use]
    pub fn whole(&self, key: &[u8; 32]) -> [u8; 32] {
        let parts: Vec<&[u8]> =
            self.fields.iter().flat_map(|(path, hash)| [path.as_bytes(), hash.0.as_bytes()]).collect();
        keyed_hash_of_parts(key, &parts)
    }

    /// The paths of the fields that are not the same in both, in order; none when the bodies mean the same.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let paths: std::collections::BTreeSet<&String> = self.fields.keys().chain(other.fields.keys()).collect();
        paths
            .into_iter()
            .filter(|path| match (self.fields.get(*path), other.fields.get(*path)) {
                (Some(one), Some(two)) => !same(one.0.as_bytes(), two.0.as_bytes()),
                _ => true,
            })
            .cloned()
            .collect()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

fn collect(object: &Map<String, Value>, path: &str, key: &[u8; 32], fields: &mut BTreeMap<String, FieldHash>) {
    for (name, value) in object {
        if value.is_null() || LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let path = match path {
            "" => name.clone(),
            _ => format!("{path}.{name}"),
        };
        if let Value::Object(inner) = value
            && !inner.is_empty()
        {
            collect(inner, &path, key, fields);
            continue;
        }
        let mut text = String::new();
        canonical(name, value, &mut text);
        let hash = keyed_hash_of_parts(key, &[path.as_bytes(), text.as_bytes()]);
        let digits = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        fields.insert(path, FieldHash(digits));
    }
}

/// The one way to write a value: keys in order, no white space, integers alike whether number or string.
fn canonical(name: &str, value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => string(name, text, out),
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(name, item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(object) => {
            // `serde_json` keeps the keys of an object in order.
            out.push('{');
            for (name, value) in
                object.iter().filter(|(name, value)| !value.is_null() && !LEFT_OUT.contains(&name.as_str()))
            {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                canonical(name, value, out);
                out.push(',');
            }
            out.push('}');
        }
    }
}

fn string(name: &str, text: &str, out: &mut String) {
    let is_integer = text.parse::<i64>().is_ok_and(|number| number.to_string() == text);
    match CardNumber::parse(text) {
        Ok(card) if CARD_NUMBERS.contains(&name) => out.push_str(card.expose()),
        _ if is_integer => out.push_str(text),
        _ => out.push_str(&Value::from(text).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KEY: [u8; 32] = [9; 32];

    fn of(body: Value) -> Fingerprint {
        let Value::Object(body) = body else { panic!("an object") };
        Fingerprint::of(&body, &KEY)
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        let one = of(json!({"amount": 15000, "orderId": "order-1", "x": null, "o": {"a": 1, "b": [1, {"c": 2}]}}));
        let two = of(json!({"o": {"b": ["1", {"c": "2"}], "a": "1"}, "orderId": "order-1", "amount": "15000"}));
        assert_eq!(one, two);
        assert_eq!(one.whole(&KEY), two.whole(&KEY));
        assert_eq!(one.differing(&two), Vec::<String>::new());
    }

    #[test]
    fn what_differs_is_named() {
        let one = of(json!({"amount": 15000, "orderId": "order-1", "account": {"bank": "88", "number": "1"}}));
        let two = of(json!({"amount": 15001, "orderId": "order-1", "account": {"bank": "88"}, "memo": ""}));
        assert_eq!(one.differing(&two), ["account.number", "amount", "memo"]);
        assert_ne!(one.whole(&KEY), two.whole(&KEY));
        assert_ne!(of(json!({"a": "1"})), of(json!({"a": "01"})));
        assert_ne!(of(json!({"a": [1, 2]})), of(json!({"a": [12]})));
        assert_ne!(of(json!({"a": "true"})), of(json!({"a": true})));
        assert_ne!(of(json!({"a": {}})), of(json!({})));
    }

    #[test]
    fn card_data_is_hashed_or_left_out() {
        let one =
            of(json!({"cardNumber": "4242424242424242", "cardPassword": "12", "cvc": "123", "list": [{"cvc": "1"}]}));
        let two = of(json!({"cardNumber": "4242-4242-4242-4242", "cardPassword": "34", "list": [{"cvc": "2"}]}));
        let other = of(json!({"cardNumber": "4000056655665556", "list": [{}]}));
        assert_eq!(one, two);
        assert_eq!(one.differing(&other), ["cardNumber"]);
        let stored = serde_json::to_string(&one).unwrap();
        assert!(!stored.contains("4242") && !stored.contains("cvc"), "{stored}");
        assert_eq!(serde_json::from_str::<Fingerprint>(&stored).unwrap(), one);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-d]{1,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn body() -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::btree_map("[a-d]{1,2}", value(), 1..5).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn white_space_and_key_order_make_no_difference(body in body()) {
            let pretty = serde_json::to_string_pretty(&body).unwrap();
            let read = crate::body::parse_object(pretty.as_bytes());
            if let Ok(read) = read {
                prop_assert_eq!(Fingerprint::of(&body, &KEY), Fingerprint::of(&read, &KEY));
            }
        }

        #[test]
        fn a_changed_value_makes_a_difference_there_and_nowhere_else(body in body(), number in any::<i64>()) {
            let mut changed = body.clone();
            let name = body.keys().next().unwrap().clone();
            let old = Fingerprint::of(&body, &KEY);
            changed.insert(name.clone(), json!([number, "changed"]));
            prop_assume!(changed != body);
            let differing = old.differing(&Fingerprint::of(&changed, &KEY));
            prop_assert!(!differing.is_empty());
            prop_assert!(differing.iter().all(|path| path.split('.').next() == Some(&name)), "{:?}", differing);
        }
    }
}
