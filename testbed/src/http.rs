//! HTTP calls, as the tests' clients make them.

use std::future::IntoFuture;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::{Client, RequestBuilder};

use crate::Answer;

/// Longer than the API lets anybody wait.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(75);

/// A client that talks to loopback only, and never repeats anything by itself.
pub(crate) fn client(limit: Duration) -> Client {
    // An error only says that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .no_proxy()
        .timeout(limit)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build();
    client.expect("an HTTP client can be made")
}

/// A call that is made when it is awaited. Awaiting insists on an answer; [`Call::attempt`] does not.
#[must_use = "a call is made when it is awaited"]
pub struct Call {
    request: RequestBuilder,
}

impl Call {
    pub(crate) fn new(request: RequestBuilder) -> Self {
        Self { request }
    }

    /// `Prefer: respond-async` or `wait=5`.
    pub fn prefer(self, preference: &str) -> Self {
        self.header("prefer", preference)
    }

    /// `Idempotency-Key`.
    pub fn idempotency_key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Any header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value) }
    }

    /// Gives up after this time.
    pub fn timeout(self, limit: Duration) -> Self {
        Self { request: self.request.timeout(limit) }
    }

    /// Makes the call, whatever comes of it.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn attempt(self) -> Result<Answer, reqwest::Error> {
        Answer::read(self.request.send().await?).await
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = BoxFuture<'static, Answer>;

    fn into_future(self) -> Self::IntoFuture {
        async move { self.attempt().await.unwrap_or_else(|error| panic!("no answer: {error:?}")) }.boxed()
    }
}
