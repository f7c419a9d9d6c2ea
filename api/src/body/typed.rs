//! From a JSON object to the fields of a call, as lenient as Toss where money can't differ.
//!
//! Any integer field also takes a string of decimal digits (`"15000"`, never `"1e4"`, `"1.0"` or `" 1"`). Everything
//! else must be of its type. Fields nobody asked for are collected by path. Errors say where and what would be right,
//! and never repeat what was there.

use std::cell::RefCell;
use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde_json::{Map, Value};

use crate::problem::{FieldError, Problem};

/// Most unknown fields that are named.
const UNKNOWN_MAX: usize = 50;

/// Most characters of an unknown field's path that are shown.
const PATH_SHOWN_MAX: usize = 100;

/// The fields of `object`, and the paths of those that `T` does not have.
///
/// # Errors
/// `INVALID_FIELDS` with the first field that is missing or of the wrong type.
pub(super) fn read<T: DeserializeOwned>(object: &Map<String, Value>) -> Result<(T, Vec<String>), Problem> {
    let unknown = RefCell::new(Vec::new());
    let place = Place { path: String::new(), unknown: &unknown };
    let fields = T::deserialize(Object { object, place })
        .map_err(|mismatch| Problem::fields(vec![FieldError::new(mismatch.path, mismatch.expected)]))?;
    Ok((fields, unknown.into_inner()))
}

/// Where a value stands.
#[derive(Clone)]
struct Place<'a> {
    path: String,
    unknown: &'a RefCell<Vec<String>>,
}

impl Place<'_> {
    fn member(&self, name: &str) -> Self {
        let path = match self.path.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.path),
        };
        Self { path, unknown: self.unknown }
    }

    fn item(&self, index: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), unknown: self.unknown }
    }
}

/// What is wrong with one field. The path is filled in by whoever knows it first.
#[derive(Debug, PartialEq, Eq)]
struct Mismatch {
    path: String,
    expected: String,
}

impl Mismatch {
    fn new(expected: impl Into<String>) -> Self {
        Self { path: String::new(), expected: expected.into() }
    }

    fn at(mut self, place: &Place<'_>) -> Self {
        if self.path.is_empty() {
            self.path.clone_from(&place.path);
        }
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.expected)
    }
}

impl std::error::Error for Mismatch {}

/// What serde and the types of fields find wrong. Their own words may repeat the value, so only what they expected
/// is kept.
impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new("is not valid")
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("must be {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("must be {expected}"))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("must be {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("must be one of {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { path: field.to_owned(), expected: "is required".to_owned() }
    }
}

/// An object and where it stands.
struct Object<'a> {
    object: &'a Map<String, Value>,
    place: Place<'a>,
}

/// Any value and where it stands.
struct Field<'a> {
    value: &'a Value,
    place: Place<'a>,
}

impl<'a> Field<'a> {
    /// A whole number, written as one or as a string of its digits.
    fn integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let whole = match self.value {
            Value::Number(number) => number.as_i64(),
            Value::String(digits) => decimal(digits),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let whole = whole.ok_or_else(|| Mismatch::new("must be a whole number").at(&self.place))?;
        visitor.visit_i64(whole).map_err(|mismatch: Mismatch| out_of_range(mismatch).at(&self.place))
    }

    fn wrong<T>(&self, expected: &str) -> Result<T, Mismatch> {
        Err(Mismatch::new(expected).at(&self.place))
    }
}

/// serde names the Rust type (`u8`); a client learns only that the number does not fit.
fn out_of_range(mut mismatch: Mismatch) -> Mismatch {
    if mismatch.path.is_empty() && mismatch.expected.starts_with("must be ") {
        mismatch.expected = "is out of range".to_owned();
    }
    mismatch
}

/// `"0"`, `"15000"`: what a decimal integer looks like, and nothing else.
fn decimal(digits: &str) -> Option<i64> {
    let plain = digits.len() <= 19 && digits.bytes().all(|c| c.is_ascii_digit());
    let canonical = digits == "0" || !digits.starts_with('0');
    (plain && canonical).then(|| digits.parse().ok())?
}

macro_rules! integers {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            self.integer(visitor)
        }
    )+};
}

impl<'de> Deserializer<'de> for Field<'_> {
    type Error = Mismatch;

    /// As it is: for free-form values such as `metadata`.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let place = self.place.clone();
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(value), ..) => visitor.visit_i64(value),
                (_, Some(value), _) => visitor.visit_u64(value),
                (_, _, Some(value)) => visitor.visit_f64(value),
                _ => Err(Mismatch::new("must be a number")),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Array(items) => visitor.visit_seq(Items { items: items.iter().enumerate(), place: self.place }),
            Value::Object(object) => {
                return Object { object, place: self.place }.deserialize_map(visitor);
            }
        }
        .map_err(|mismatch| mismatch.at(&place))
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Value::Bool(value) = self.value else {
            return self.wrong("must be true or false");
        };
        visitor.visit_bool(*value)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Value::String(text) = self.value else {
            return self.wrong("must be a string");
        };
        visitor.visit_str(text).map_err(|mismatch: Mismatch| mismatch.at(&self.place))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value.is_null() {
            true => visitor.visit_none(),
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        let place = self.place.clone();
        visitor.visit_newtype_struct(self).map_err(|mismatch| mismatch.at(&place))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value.is_array() {
            true => self.deserialize_any(visitor),
            false => self.wrong("must be a list"),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Value::Object(object) = self.value else {
            return self.wrong("must be an object");
        };
        Object { object, place: self.place }.deserialize_map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let Value::String(name) = self.value else {
            return self.wrong(&format!("must be one of {}", variants.join(", ")));
        };
        visitor.visit_enum(Name(name)).map_err(|mismatch| mismatch.at(&self.place))
    }

    /// Reached by members that the struct does not have.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let mut unknown = self.place.unknown.borrow_mut();
        if unknown.len() < UNKNOWN_MAX {
            unknown.push(self.place.path.chars().take(PATH_SHOWN_MAX).collect());
        }
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

impl<'de> Deserializer<'de> for Object<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let place = self.place.clone();
        let members = Members { members: self.object.iter(), place: self.place, next: None };
        visitor.visit_map(members).map_err(|mismatch| match mismatch.expected.as_str() {
            // Only the struct knows the missing field's name, and only we know where the struct stands.
            "is required" if !place.path.is_empty() && !mismatch.path.contains('.') => {
                Mismatch { path: format!("{}.{}", place.path, mismatch.path), ..mismatch }
            }
            _ => mismatch.at(&place),
        })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Members<'a> {
    members: serde_json::map::Iter<'a>,
    place: Place<'a>,
    next: Option<(&'a str, &'a Value)>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mismatch> {
        let Some((name, value)) = self.members.next() else {
            return Ok(None);
        };
        self.next = Some((name, value));
        seed.deserialize(name.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let (name, value) = self.next.take().ok_or_else(|| Mismatch::new("is not valid"))?;
        let place = self.place.member(name);
        seed.deserialize(Field { value, place: place.clone() }).map_err(|mismatch| mismatch.at(&place))
    }
}

struct Items<'a> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Value>>,
    place: Place<'a>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mismatch> {
        let Some((index, value)) = self.items.next() else {
            return Ok(None);
        };
        let place = self.place.item(index);
        seed.deserialize(Field { value, place: place.clone() }).map(Some).map_err(|mismatch| mismatch.at(&place))
    }
}

/// The name of a variant that holds nothing.
struct Name<'a>(&'a str);

impl<'de> EnumAccess<'de> for Name<'_> {
    type Error = Mismatch;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Mismatch> {
        seed.deserialize(self.0.into_deserializer()).map(|variant| (variant, self))
    }
}

impl<'de> VariantAccess<'de> for Name<'_> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Mismatch> {
        Err(Mismatch::new("must be an object"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Mismatch> {
        Err(Mismatch::new("must be a list"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Mismatch> {
        Err(Mismatch::new("must be an object"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Won(i64);

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    enum Kind {
        Normal,
        Billing,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Call {
        amount: Won,
        order_id: String,
        months: Option<u8>,
        receipt: Option<bool>,
        kind: Option<Kind>,
        account: Option<Account>,
        #[serde(default)]
        items: Vec<Item>,
        #[serde(default)]
        metadata: BTreeMap<String, String>,
        id: Option<uuid::Uuid>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Account {
        bank: String,
        number: String,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Item {
        price: i64,
    }

    fn call(value: Value) -> Result<(Call, Vec<String>), (String, String)> {
        let Value::Object(object) = value else { panic!("an object") };
        read(&object).map_err(|problem| {
            let error = &problem.field_errors()[0];
            (error.field.clone(), error.reason.to_string())
        })
    }

    /// A good call with one member set otherwise.
    fn with(path: &str, value: Value) -> Value {
        let mut good = json!({"amount": 15000, "orderId": "order-1", "account": {"bank": "88", "number": "1"}, "items": [{"price": 1}]});
        *good.pointer_mut(path).unwrap_or(&mut Value::Null) = value.clone();
        if good.pointer(path).is_none() {
            good[path.trim_start_matches('/')] = value;
        }
        good
    }

    #[test]
    fn integers_may_be_strings_of_digits_and_nothing_else() {
        for good in [json!(15000), json!("15000")] {
            assert_eq!(call(with("/amount", good)).unwrap().0.amount, Won(15_000));
        }
        assert_eq!(call(with("/amount", json!("0"))).unwrap().0.amount, Won(0));
        assert_eq!(call(with("/amount", json!(-5))).unwrap().0.amount, Won(-5), "sign and size are checked later");
        let bad = [
            json!("1e4"),
            json!("15000.0"),
            json!(15000.0),
            json!(0.1),
            json!(1e4),
            json!(-0.0),
            json!(""),
            json!(" 1"),
            json!("+1"),
            json!("-1"),
            json!("015000"),
            json!("１５"),
            json!("0x10"),
            json!(true),
            json!([1]),
            json!({}),
            json!(9_223_372_036_854_775_808_u64),
            json!("9223372036854775808"),
            json!("99999999999999999999"),
        ];
        for value in bad {
            let error = call(with("/amount", value.clone())).unwrap_err();
            assert_eq!(error, ("amount".into(), "must be a whole number".into()), "{value}");
        }
        assert_eq!(call(with("/months", json!(256))).unwrap_err(), ("months".into(), "is out of range".into()));
    }

    #[test]
    fn errors_say_where_and_what_would_be_right_and_repeat_nothing() {
        let table = [
            (with("/orderId", json!(71)), "orderId", "must be a string"),
            (with("/receipt", json!("hunter2")), "receipt", "must be true or false"),
            (with("/kind", json!("hunter2")), "kind", "must be one of NORMAL, BILLING"),
            (with("/kind", json!(2)), "kind", "must be one of NORMAL, BILLING"),
            (with("/account", json!("hunter2")), "account", "must be an object"),
            (with("/account/bank", json!(88)), "account.bank", "must be a string"),
            (with("/account", json!({"bank": "88"})), "account.number", "is required"),
            (with("/items", json!({})), "items", "must be a list"),
            (with("/items", json!([{"price": 1}, {"price": "hunter2"}])), "items[1].price", "must be a whole number"),
            (with("/items", json!([{}])), "items[0].price", "is required"),
            (with("/items", json!([null])), "items[0]", "must be an object"),
            (with("/metadata", json!({"a": {"b": 1}})), "metadata.a", "must be a string"),
            (with("/id", json!("hunter2")), "id", "is not valid"),
            (json!({"orderId": "order-1"}), "amount", "is required"),
        ];
        for (value, field, reason) in table {
            assert_eq!(call(value.clone()).unwrap_err(), (field.to_owned(), reason.to_owned()), "{value}");
        }
    }

    #[test]
    fn unknown_members_are_found_at_every_depth() {
        let value = json!({
            "amount": 1, "orderId": "order-1", "x": [1], "account": {"bank": "88", "number": "1", "y": {"z": 1}},
            "items": [{"price": 1, "tax": 2}], "metadata": {"anything": "goes"},
        });
        let (_, unknown) = call(value).unwrap();
        assert_eq!(unknown, ["account.y", "items[0].tax", "x"]);
    }

    proptest! {
        #[test]
        fn no_object_panics_and_no_error_repeats_a_text(amount in ".{0,20}", secret in "[a-z]{12,20}") {
            let values = [json!(secret), json!([secret]), json!({ "a": secret })];
            for value in values {
                for path in ["/amount", "/months", "/receipt", "/kind", "/account", "/items", "/id", "/metadata"] {
                    if let Err((_, reason)) = call(with(path, value.clone())) {
                        prop_assert!(!reason.contains(&secret));
                    }
                }
            }
            let _ = call(with("/amount", json!(amount)));
        }
    }
}
