//! A merchant's server: everything that the API offers it.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::http::{CALL_LIMIT, Call, client};
use crate::{Answer, Means, Payer, Payment, Program, Stream, eventually};

/// A merchant with keys of its own. Cheap to clone.
#[derive(Clone)]
pub struct Shop {
    base: String,
    http: Client,
    /// The public id of the merchant (`mId`).
    pub mid: String,
    /// Its secret key.
    pub secret_key: String,
    /// Its client key.
    pub client_key: String,
}

impl Shop {
    pub(crate) fn new(base: String, mid: String, secret_key: String, client_key: String) -> Self {
        Self { base, http: client(CALL_LIMIT), mid, secret_key, client_key }
    }

    /// The same merchant at another API of the gateway, which answers for the first one's address too.
    #[must_use]
    pub fn at(&self, api: &Program) -> Self {
        Self { base: api.address().to_owned(), ..self.clone() }
    }

    /// `POST /v1/payments/key-in`
    pub fn key_in(&self, payment: &Payment) -> Call {
        self.post("/v1/payments/key-in", &payment.key_in_body())
    }

    /// `POST /v1/payments`
    pub fn create(&self, payment: &Payment) -> Call {
        self.post("/v1/payments", &payment.create_body())
    }

    /// `POST /v1/payments/confirm`
    pub fn confirm(&self, payment_key: &str, order_id: &str, amount: i64) -> Call {
        self.post("/v1/payments/confirm", &json!({ "paymentKey": payment_key, "orderId": order_id, "amount": amount }))
    }

    /// `POST /v1/payments/{paymentKey}/cancel`: all that is left.
    pub fn cancel(&self, payment_key: &str) -> Call {
        self.cancel_with(payment_key, &json!({ "cancelReason": "고객 변심" }))
    }

    /// The same, for a part.
    pub fn cancel_part(&self, payment_key: &str, amount: i64) -> Call {
        self.cancel_with(payment_key, &json!({ "cancelReason": "고객 변심", "cancelAmount": amount }))
    }

    /// The same, with a body of the test's own.
    pub fn cancel_with(&self, payment_key: &str, body: &Value) -> Call {
        self.post(&format!("/v1/payments/{payment_key}/cancel"), body)
    }

    /// `POST /v1/payments/{paymentKey}/capture`
    pub fn capture(&self, payment_key: &str) -> Call {
        self.post(&format!("/v1/payments/{payment_key}/capture"), &json!({}))
    }

    /// `POST /v1/virtual-accounts`: an account at Shinhan for so much, with members beside or in the place of the usual.
    pub fn virtual_account(&self, order_id: &str, amount: i64, more: Value) -> Call {
        let mut body = json!({ "amount": amount, "orderId": order_id, "orderName": "a pair of socks",
            "customerName": "홍길동", "bank": "신한" });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        self.post("/v1/virtual-accounts", &body)
    }

    /// `POST /v1/virtual-accounts/{paymentKey}/refund-account`
    pub fn refund_account(&self, payment_key: &str, body: &Value) -> Call {
        self.post(&format!("/v1/virtual-accounts/{payment_key}/refund-account"), body)
    }

    /// `GET /v1/payments/{paymentKey}`
    pub fn get(&self, payment_key: &str) -> Call {
        self.call(Method::GET, &format!("/v1/payments/{payment_key}"))
    }

    /// How a payment stands, when it stands as it is waited for.
    ///
    /// # Panics
    /// After `patience`, naming `what` was waited for.
    pub async fn until(&self, key: &str, what: &str, patience: Duration, is: impl Fn(&Answer) -> bool) -> Answer {
        let found = eventually(what, patience, async || {
            let read = self.get(key).await.expecting(200);
            is(&read).then_some(read)
        });
        found.await
    }

    /// The same, by its status, for 15 s.
    ///
    /// # Panics
    /// When it does not come to that.
    pub async fn until_status(&self, key: &str, status: &str) -> Answer {
        let what = format!("it is {status}");
        self.until(key, &what, Duration::from_secs(15), |read| read.text("status") == status).await
    }

    /// `GET /v1/payments/orders/{orderId}`
    pub fn get_order(&self, order_id: &str) -> Call {
        self.call(Method::GET, &format!("/v1/payments/orders/{order_id}"))
    }

    /// `GET /v1/payments?…`
    pub fn list(&self, query: &str) -> Call {
        self.call(Method::GET, &format!("/v1/payments?{query}"))
    }

    /// `GET /v1/payments/{paymentKey}/timeline`
    pub fn timeline(&self, payment_key: &str) -> Call {
        self.call(Method::GET, &format!("/v1/payments/{payment_key}/timeline"))
    }

    /// `POST /v1/clock`: sets this merchant's clock forward by so many seconds.
    pub fn advance(&self, seconds: i64) -> Call {
        self.post("/v1/clock", &json!({ "advanceSeconds": seconds }))
    }

    /// `GET /v1/clock`
    pub fn clock(&self) -> Call {
        self.call(Method::GET, "/v1/clock")
    }

    /// `GET /v1/payments/{paymentKey}/events` as JSON.
    pub fn events(&self, payment_key: &str) -> Call {
        self.call(Method::GET, &events_path(payment_key)).header("accept", "application/json")
    }

    /// `GET /v1/payments/{paymentKey}/events` as a stream, with the secret key.
    pub async fn stream(&self, payment_key: &str) -> Stream {
        let authorization = basic(&self.secret_key);
        Stream::open(&self.url(&events_path(payment_key)), &authorization, None).await
    }

    /// The same, as a browser that was handed a checkout token does it.
    pub async fn stream_as_browser(&self, payment_key: &str, checkout_token: &str) -> Stream {
        Stream::open(&self.url(&events_path(payment_key)), &format!("Bearer {checkout_token}"), None).await
    }

    /// Any `POST` with the secret key.
    pub fn post(&self, path: &str, body: &Value) -> Call {
        Call::new(self.http.post(self.url(path)).header("authorization", basic(&self.secret_key)).json(body))
    }

    /// Any call with the secret key and no body.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(self.http.request(method, self.url(path)).header("authorization", basic(&self.secret_key)))
    }

    /// Any call without a key.
    pub fn anonymous(&self, method: Method, path: &str) -> Call {
        Call::new(self.http.request(method, self.url(path)))
    }

    /// A call that a test makes up by itself, key included.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path)).header("authorization", basic(&self.secret_key))
    }

    /// Has a typed-in card's payment accepted without waiting for its outcome (which may be known all the same), and
    /// returns its key.
    ///
    /// # Panics
    /// When it is not accepted.
    pub async fn begin(&self, payment: &Payment) -> String {
        let answer = self.key_in(payment).prefer("respond-async").await;
        let key = answer.header("location").rsplit('/').next().filter(|key| !key.is_empty());
        let accepted = matches!(answer.status, 200 | 202) || answer.text("code").starts_with("REJECT_");
        assert!(accepted, "{answer:?}");
        key.unwrap_or_else(|| answer.payment_key()).to_owned()
    }

    /// The same without a key.
    pub fn anonymous_request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// Creates a payment, lets the payer authenticate with the order's card, and returns what create answered: the
    /// payment is ready to be confirmed.
    ///
    /// # Panics
    /// When either is refused.
    pub async fn authenticated(&self, payment: &Payment) -> Answer {
        let created = self.create(payment).await.expecting(200);
        let payer = self.payer_of(&created);
        let _ = payer.authenticate(payment).await.expecting(200);
        created
    }

    /// The same, with what is no card.
    ///
    /// # Panics
    /// When either is refused.
    pub async fn authenticated_with(&self, payment: &Payment, means: &Means) -> Answer {
        let created = self.create(payment).await.expecting(200);
        let _ = self.payer_of(&created).pay_with(means).await.expecting(200);
        created
    }

    /// And has it confirmed, waiting for 30 s at most.
    ///
    /// # Panics
    /// When the payer is refused, or the shop gets no answer.
    pub async fn pay_with(&self, payment: &Payment, means: &Means) -> Answer {
        let created = self.authenticated_with(payment, means).await;
        self.confirm(created.payment_key(), &payment.order_id, payment.amount).prefer("wait=30").await
    }

    /// The payer of a payment that was created.
    ///
    /// # Panics
    /// When the answer has no checkout.
    #[must_use]
    pub fn payer_of(&self, created: &Answer) -> Payer {
        let url = created.text("checkout.url");
        let checkout_id = url.rsplit('/').next().filter(|id| !id.is_empty());
        let checkout_id = checkout_id.unwrap_or_else(|| panic!("no checkout.url: {created:?}"));
        Payer::new(self.base.clone(), checkout_id.to_owned())
    }

    /// An absolute address of the API.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn events_path(payment_key: &str) -> String {
    format!("/v1/payments/{payment_key}/events")
}

/// Basic authentication with the key as user and no password, as Toss has it.
pub(crate) fn basic(key: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{key}:")))
}
