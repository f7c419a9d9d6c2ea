//! Payers who have an account, as a page of ours that they are signed in at.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::http::{CALL_LIMIT, Call, client};
use crate::{Answer, Payment, canary, run};

/// What a session's cookie is called where there is no TLS.
const COOKIE: &str = "naru_payer";

/// A payer's browser, at an address of its own, on a page of ours.
pub struct Account {
    base: String,
    http: Client,
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: String,
    /// `test` or `live`.
    pub mode: String,
    /// Where it is, as a proxy of ours would say.
    pub address: String,
    cookie: Mutex<Option<String>>,
}

impl Account {
    pub(crate) fn new(base: String, mode: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let [_, a, b, c] = number.to_be_bytes();
        Self {
            base,
            http: client(CALL_LIMIT),
            email: format!("payer-{}@mail.example", run::unique()),
            password: format!("correct horse {number}"),
            mode: mode.to_owned(),
            address: format!("10.{a}.{b}.{c}"),
            cookie: Mutex::default(),
        }
    }

    /// The same person at another browser, where nobody is signed in.
    #[must_use]
    pub fn elsewhere(&self) -> Self {
        let (email, password) = (self.email.clone(), self.password.clone());
        Self { email, password, ..Self::new(self.base.clone(), &self.mode) }
    }

    /// `POST /payer/v1/sign-up`
    pub async fn sign_up(&self) -> Answer {
        self.sign("sign-up", &self.password).await
    }

    /// `POST /payer/v1/sign-in`
    pub async fn sign_in(&self) -> Answer {
        self.sign("sign-in", &self.password).await
    }

    /// The same with another password.
    pub async fn sign_in_with(&self, password: &str) -> Answer {
        self.sign("sign-in", password).await
    }

    async fn sign(&self, how: &str, password: &str) -> Answer {
        let body = json!({ "email": self.email, "password": password, "mode": self.mode });
        self.keep_cookie(self.post(&format!("/payer/v1/{how}"), &body).await)
    }

    /// `POST /payer/v1/sign-out`
    pub async fn sign_out(&self) -> Answer {
        self.keep_cookie(self.post("/payer/v1/sign-out", &json!({})).await)
    }

    /// `POST /payer/v1/sign-out-everywhere`
    pub async fn sign_out_everywhere(&self) -> Answer {
        self.keep_cookie(self.post("/payer/v1/sign-out-everywhere", &json!({})).await)
    }

    /// `POST /payer/v1/password`
    pub async fn change_password(&self, from: &str, to: &str) -> Answer {
        let body = json!({ "currentPassword": from, "newPassword": to });
        self.keep_cookie(self.post("/payer/v1/password", &body).await)
    }

    /// `GET /payer/v1/me`
    pub fn me(&self) -> Call {
        self.get("/payer/v1/me")
    }

    /// `POST /payer/v1/cards` with this number.
    pub fn register(&self, number: &str) -> Call {
        self.post("/payer/v1/cards", &Self::card(number))
    }

    /// What is typed from a card.
    #[must_use]
    pub fn card(number: &str) -> Value {
        json!({ "cardNumber": number, "cardExpirationYear": "39", "cardExpirationMonth": "12",
            "customerIdentityNumber": canary::IDENTITY_NUMBER })
    }

    /// Registers the test card of this name, and returns its id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn keeps(&self, card: &str) -> String {
        let kept = self.register(crate::cards::number(card)).await.expecting(200);
        kept.text("cardId").to_owned()
    }

    /// `GET /payer/v1/cards`
    pub fn cards(&self) -> Call {
        self.get("/payer/v1/cards")
    }

    /// `DELETE /payer/v1/cards/{cardId}`
    pub fn forget(&self, card_id: &str) -> Call {
        Call::new(self.request(Method::DELETE, &format!("/payer/v1/cards/{card_id}")))
    }

    /// `POST /payer/v1/cards/{cardId}/default`
    pub fn prefer(&self, card_id: &str) -> Call {
        self.post(&format!("/payer/v1/cards/{card_id}/default"), &json!({}))
    }

    /// `POST /payer/v1/payments/{checkoutId}/authenticate`
    pub fn authenticate(&self, created: &Answer, card_id: &str) -> Call {
        self.pay(created, "authenticate", &json!({ "cardId": card_id }))
    }

    /// The same by instalments.
    pub fn authenticate_in(&self, created: &Answer, card_id: &str, months: i64) -> Call {
        self.pay(created, "authenticate", &json!({ "cardId": card_id, "cardInstallmentPlan": months }))
    }

    /// `POST /payer/v1/payments/{checkoutId}/cancel`
    pub fn cancel(&self, created: &Answer) -> Call {
        self.pay(created, "cancel", &json!({}))
    }

    /// `GET /payer/v1/payments/{checkoutId}`
    pub fn look(&self, created: &Answer) -> Call {
        self.get(&format!("/payer/v1/payments/{}", checkout_id(created)))
    }

    /// `GET /payer/v1/payments?…`
    pub fn history(&self, query: &str) -> Call {
        self.get(&format!("/payer/v1/payments?{query}"))
    }

    fn pay(&self, created: &Answer, what: &str, body: &Value) -> Call {
        self.post(&format!("/payer/v1/payments/{}/{what}", checkout_id(created)), body)
    }

    /// Any `GET` of this browser.
    pub fn get(&self, path: &str) -> Call {
        Call::new(self.request(Method::GET, path))
    }

    /// Any `POST` of this browser.
    pub fn post(&self, path: &str, body: &Value) -> Call {
        Call::new(self.request(Method::POST, path).json(body))
    }

    /// Any request of this browser, without a body.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        self.headers().into_iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// What this browser sends along from a page of ours.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("origin", self.base.clone()),
            ("sec-fetch-site", "same-origin".to_owned()),
            ("x-forwarded-for", self.address.clone()),
        ];
        headers.extend(self.cookie().map(|cookie| ("cookie", cookie)));
        headers
    }

    /// The session's cookie, if there is one.
    #[must_use]
    pub fn cookie(&self) -> Option<String> {
        self.cookie.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a cookie in the place of its own.
    pub fn set_cookie(&self, cookie: Option<String>) {
        *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = cookie;
    }

    /// Does with `Set-Cookie` as a browser does.
    fn keep_cookie(&self, answer: Answer) -> Answer {
        if let Some(pair) = answer.header("set-cookie").split(';').next().filter(|pair| pair.starts_with(COOKIE)) {
            self.set_cookie((!pair.ends_with('=')).then(|| pair.to_owned()));
        }
        answer
    }
}

/// The id under which payers know a payment.
fn checkout_id(created: &Answer) -> &str {
    created.text("checkout.url").rsplit('/').next().unwrap_or_default()
}

impl crate::Gateway {
    /// Somebody without an account yet.
    #[must_use]
    pub fn stranger(&self, mode: &str) -> Account {
        Account::new(self.shop.url(""), mode)
    }

    /// A payer of the sandbox, signed in.
    ///
    /// # Panics
    /// When signing up is refused.
    pub async fn payer(&self) -> Account {
        let account = self.stranger("test");
        let _ = account.sign_up().await.expecting(200);
        account
    }

    /// Creates a payment and has this payer authenticate it with a stored card; returns what create answered.
    ///
    /// # Panics
    /// When either is refused.
    pub async fn authenticated_by(&self, payer: &Account, card_id: &str, payment: &Payment) -> Answer {
        let created = self.shop.create(payment).await.expecting(200);
        let _ = payer.authenticate(&created, card_id).await.expecting(200);
        created
    }
}
