//! What came back from an HTTP call.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::header::HeaderMap;
use serde_json::Value;

/// The codes of all refusals that this process has heard.
fn heard() -> MutexGuard<'static, BTreeSet<String>> {
    static HEARD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The codes of all refusals that any test of this process has heard so far, save those that a test code asked for.
#[must_use]
pub fn codes_heard() -> BTreeSet<String> {
    heard().clone()
}

/// Toss Payments' codes that no call answers with, as they are declared.
const FOREIGN: &str = include_str!("../../api/src/problem/foreign.rs");

/// Those codes, each with why it can't happen.
pub fn foreign_codes() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut lines = FOREIGN.lines().map(str::trim);
    std::iter::from_fn(move || {
        let declared = lines.by_ref().find(|line| line.starts_with('"'))?;
        let code = declared.split('"').nth(1)?;
        // The reason is on the same line or on the next.
        let last = if declared.ends_with(';') { declared } else { lines.next()? };
        Some((code, last.trim_end_matches(['"', ';']).rsplit('"').next()?))
    })
}

/// An answer of the API.
#[derive(Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body to the byte.
    pub text: String,
    /// The body as JSON; null when it is none.
    pub body: Value,
}

impl Answer {
    /// # Panics
    /// When it is refused with a code that can't happen.
    pub(crate) async fn read(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let answer = Self { status, headers, text, body };
        // What a test code asks for is no answer of Naru's own.
        if status >= 400 && answer.text("reason") != "TEST_CODE" {
            let code = answer.text("code");
            if let Some((_, why)) = foreign_codes().find(|(foreign, _)| *foreign == code) {
                panic!("{code} was answered, although {why}: {answer:?}");
            }
            heard().insert(code.to_owned());
        }
        Ok(answer)
    }

    /// A header's value; empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The text at this place of the body (`failure.code`); empty when there is none.
    #[must_use]
    pub fn text(&self, place: &str) -> &str {
        self.at(place).as_str().unwrap_or_default()
    }

    /// The whole number at this place of the body; 0 when there is none.
    #[must_use]
    pub fn number(&self, place: &str) -> i64 {
        self.at(place).as_i64().unwrap_or_default()
    }

    /// What is at this place of the body (`card.issuerCode`); null when there is nothing.
    #[must_use]
    pub fn at(&self, place: &str) -> &Value {
        self.body.pointer(&format!("/{}", place.replace('.', "/"))).unwrap_or(&Value::Null)
    }

    /// What the merchant calls the payment.
    #[must_use]
    pub fn payment_key(&self) -> &str {
        self.text("paymentKey")
    }

    /// Insists on a status.
    ///
    /// # Panics
    /// When it is another; shows the answer.
    #[must_use]
    pub fn expecting(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Insists on a problem document with this status and code: JSON with all its members, whatever the refusal.
    ///
    /// # Panics
    /// When it is another; shows the answer.
    #[must_use]
    pub fn expecting_problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.text("code")), (status, code), "{self:?}");
        assert!(self.header("content-type").starts_with("application/problem+json"), "{self:?}");
        for member in ["message", "traceId", "moneyState", "retryable"] {
            assert!(!self.at(member).is_null(), "no {member}: {self:?}");
        }
        self
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}\n{}", self.status, self.headers, self.text)
    }
}
