//! The API's own description of its calls: what is attacked is read from here, so that no new call is forgotten.

use std::collections::BTreeSet;

use naru_testbed::Shop;
use reqwest::Method;
use serde_json::Value;

/// Statuses that any call may answer with, because the edge refuses before the call is looked at.
const GENERAL: [u16; 9] = [400, 401, 403, 404, 405, 408, 413, 415, 431];

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) method: Method,
    /// `/v1/payments/{paymentKey}`
    pub(crate) path: String,
    /// Which of the bodies that the call takes, where it takes several: what its member `method` says.
    pub(crate) means: Option<String>,
    /// Fields of its body; none when it takes no body.
    pub(crate) body: Option<Vec<Field>>,
    /// Parameters of its query.
    pub(crate) query: Vec<Field>,
    /// Headers it reads, in lower case.
    pub(crate) headers: Vec<String>,
    statuses: BTreeSet<u16>,
}

/// One field of a body, or one parameter.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) kind: Kind,
}

/// What a field must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Text,
    Object,
}

impl Described {
    /// `POST /v1/payments`, or with what its member `method` says behind it.
    pub(crate) fn name(&self) -> String {
        let means = self.means.as_ref().map(|means| format!(" {means}"));
        format!("{} {}{}", self.method, self.path, means.unwrap_or_default())
    }

    /// Whether it is a call that Toss Payments also has, which ignores fields it does not know.
    pub(crate) fn is_tosss(&self) -> bool {
        self.path.starts_with("/v1/")
            && !["/capture", "/clock", "/refund-account"].iter().any(|end| self.path.ends_with(end))
    }

    /// Whether it is one of the merchant's people's.
    pub(crate) fn is_backoffice(&self) -> bool {
        self.path.starts_with("/backoffice/")
    }

    /// Whether a payer with an account makes it, and not a merchant.
    pub(crate) fn is_of_payers(&self) -> bool {
        self.path.starts_with("/payer/")
    }

    /// Whether a session's cookie makes it, or is to be had by it.
    pub(crate) fn is_of_sessions(&self) -> bool {
        self.is_backoffice() || self.is_of_payers()
    }

    /// Whether it is about a card that is kept, or a payment that was authenticated with one.
    pub(crate) fn needs_card(&self) -> bool {
        self.is_of_payers() && (self.path.contains("{cardId}") || self.path.contains("{checkoutId}"))
    }

    /// Whether the document allows this status.
    pub(crate) fn lists(&self, status: u16) -> bool {
        self.statuses.contains(&status) || GENERAL.contains(&status)
    }
}

/// Every call that the API describes.
pub(crate) async fn described(shop: &Shop) -> Vec<Described> {
    let answer = shop.anonymous(Method::GET, "/openapi.json").await.expecting(200);
    let document = answer.body;
    let mut calls = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("the document has paths") {
        for (method, operation) in methods.as_object().expect("a path has methods") {
            let schema = operation.pointer("/requestBody/content/application~1json/schema");
            let bodies = schema.map_or_else(|| vec![(None, None)], |schema| bodies(&document, schema));
            calls.extend(bodies.into_iter().map(|body| described_call(path, method, operation, body)));
        }
    }
    assert!(calls.len() >= 10, "the document describes only {} calls", calls.len());
    calls
}

fn described_call(
    path: &str,
    method: &str,
    operation: &Value,
    (means, body): (Option<String>, Option<Vec<Field>>),
) -> Described {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let in_place = |place: &str| parameters.iter().filter(|parameter| parameter["in"] == place).collect::<Vec<_>>();
    Described {
        method: method.to_ascii_uppercase().parse().expect("a method"),
        path: path.to_owned(),
        means,
        body,
        query: in_place("query")
            .into_iter()
            .map(|parameter| field(parameter["name"].as_str(), parameter["required"] == true, &parameter["schema"]))
            .collect(),
        headers: in_place("header").iter().filter_map(|header| Some(header["name"].as_str()?.to_lowercase())).collect(),
        statuses: operation["responses"]
            .as_object()
            .map(|responses| responses.keys().filter_map(|status| status.parse().ok()).collect())
            .unwrap_or_default(),
    }
}

/// The body of a call, or each of those that its member `method` tells apart.
fn bodies(document: &Value, schema: &Value) -> Vec<(Option<String>, Option<Vec<Field>>)> {
    let Some(variants) = resolved(document, schema)["oneOf"].as_array() else {
        return vec![(None, Some(fields(document, schema)))];
    };
    let body = |variant: &Value| {
        let means = variant.pointer("/allOf/1/properties/method/enum/0").and_then(Value::as_str);
        let means = means.unwrap_or_else(|| panic!("teach this test to read {variant}"));
        (Some(means.to_owned()), Some(fields(document, &variant["allOf"][0])))
    };
    variants.iter().map(body).collect()
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect("a reference leads somewhere"),
        None => schema,
    }
}

fn fields(document: &Value, schema: &Value) -> Vec<Field> {
    let schema = resolved(document, schema);
    assert_eq!(schema["type"], "object", "a body is one object: teach this test to read {schema}");
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    properties
        .iter()
        .map(|(name, schema)| field(Some(name), required.contains(&name.as_str().into()), schema))
        .collect()
}

fn field(name: Option<&str>, required: bool, schema: &Value) -> Field {
    // One, or one beside `null`.
    let of = &schema["type"];
    let has_type =
        |wanted: &str| of == wanted || of.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == wanted));
    let kind = [("integer", Kind::Integer), ("string", Kind::Text), ("object", Kind::Object)];
    // What may be absent and has a form of its own.
    let has_form = schema["oneOf"].is_array();
    let kind = kind.into_iter().find(|(word, _)| has_type(word) || (has_form && *word == "object"));
    let (_, kind) = kind.unwrap_or_else(|| panic!("{name:?}: teach this test what a {schema} is"));
    Field { name: name.expect("a field has a name").to_owned(), required, kind }
}
