//! An operator, at the operators' own listener.

use reqwest::{Client, Method};
use serde_json::Value;

use crate::http::{CALL_LIMIT, Call, client};

/// Somebody with the operators' token. Cheap to clone.
#[derive(Clone)]
pub struct Operator {
    base: String,
    token: String,
    http: Client,
}

impl Operator {
    pub(crate) fn new(base: String, token: String) -> Self {
        Self { base, token, http: client(CALL_LIMIT) }
    }

    /// Where the operators' listener is.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// What lets in here.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// `GET /ops/v1/dead-letters`
    pub fn letters(&self) -> Call {
        self.call(Method::GET, "/ops/v1/dead-letters")
    }

    /// `GET /ops/v1/dead-letters/{id}`
    pub fn letter(&self, id: &str) -> Call {
        self.call(Method::GET, &format!("/ops/v1/dead-letters/{id}"))
    }

    /// `POST /ops/v1/dead-letters/{id}/replay`
    pub fn replay(&self, id: &str) -> Call {
        self.call(Method::POST, &format!("/ops/v1/dead-letters/{id}/replay"))
    }

    /// `POST /ops/v1/dead-letters/{id}/settle` or `…/release`
    pub fn say(&self, id: &str, verb: &str, word: &Value) -> Call {
        let url = format!("{}/ops/v1/dead-letters/{id}/{verb}", self.base);
        Call::new(self.http.post(url).bearer_auth(&self.token).json(word))
    }

    /// `GET /ops/v1/stuck`
    pub fn stuck(&self) -> Call {
        self.call(Method::GET, "/ops/v1/stuck")
    }

    /// `GET /ops/v1/payments/{paymentKey}`
    pub fn payment(&self, key: &str) -> Call {
        self.call(Method::GET, &format!("/ops/v1/payments/{key}"))
    }

    /// Any call with the token.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token))
    }

    /// Any call without it.
    pub fn anonymous(&self, method: Method, path: &str) -> Call {
        Call::new(self.http.request(method, format!("{}{path}", self.base)))
    }
}
