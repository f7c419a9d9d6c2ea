//! One HTTP call to an acquirer, and what can honestly be said of it afterwards.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::NoClient;
use super::wire::Complaint;

/// How long connecting may take. Until then nothing was sent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// No honest answer is longer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What came of a call.
pub(super) enum Heard<A> {
    /// 200, and it could be read.
    Answer(A),
    /// Another status, with the response code in its body, if one could be read.
    Said {
        /// HTTP status.
        status: u16,
        /// Response code, or empty.
        code: String,
    },
    /// No byte of the request left us.
    NotSent(String),
    /// Bytes left, and nothing came back that could be read.
    Lost(String),
}

pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    pub(super) fn new(mut base: Url) -> Result<Self, NoClient> {
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        // Two crypto providers in one process would leave the choice to chance; a second install is no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(256)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            // What is sent again is for the domain to decide, never for a client library.
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()
            .map_err(NoClient)?;
        Ok(Self { http, base })
    }

    pub(super) async fn call<B: Serialize, A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        traceparent: &str,
        timeout: Duration,
    ) -> Heard<A> {
        let Ok(url) = self.base.join(path) else { return Heard::NotSent("bad_path".into()) };
        let mut request = self.http.request(method, url).timeout(timeout).header("traceparent", traceparent);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = match request.send().await {
            Ok(response) => response,
            // The connector's own time-out, refusals and name resolution: all before a byte of the request.
            Err(error) if error.is_connect() => return Heard::NotSent("connect".into()),
            Err(error) if error.is_builder() => return Heard::NotSent("request".into()),
            Err(error) => return Heard::Lost(fault(&error).into()),
        };
        let status = response.status().as_u16();
        let body = match read(response).await {
            Ok(body) => body,
            Err(fault) => return Heard::Lost(fault.into()),
        };
        if status == 200 {
            return match serde_json::from_slice(&body) {
                Ok(answer) => Heard::Answer(answer),
                Err(_) => Heard::Lost("malformed".into()),
            };
        }
        let code = serde_json::from_slice(&body).map_or(String::new(), |Complaint { response_code }| response_code);
        Heard::Said { status, code }
    }
}

async fn read(response: reqwest::Response) -> Result<Vec<u8>, &'static str> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| fault(&error))?;
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err("too_long");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn fault(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_body() || error.is_decode() {
        "cut_off"
    } else {
        "connection_lost"
    }
}
