//! The demo payer, as a page that they are signed in at.

use reqwest::{Client, Method, RequestBuilder, header};
use serde_json::{Value, json};

use crate::http::{answer, json as ask};
use crate::needed;

/// Somebody who is signed in.
pub(crate) struct Payer<'a> {
    http: &'a Client,
    api: &'a str,
    cookie: String,
    /// The account's address.
    pub(crate) email: String,
}

impl<'a> Payer<'a> {
    /// Signs in with what `cargo xtask up` wrote down.
    pub(crate) async fn sign_in(http: &'a Client, api: &'a str) -> Result<Self, Box<dyn std::error::Error>> {
        let (email, password) = (needed("NARU_PAYER_EMAIL")?, needed("NARU_PAYER_PASSWORD")?);
        let mut payer = Self { http, api, cookie: String::new(), email };
        let fields = json!({ "email": payer.email, "password": password, "mode": "test" });
        let response = answer(payer.request(Method::POST, "sign-in").json(&fields)).await?;
        let cookie = response.headers().get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        payer.cookie = cookie.and_then(|cookie| cookie.split(';').next()).unwrap_or_default().to_owned();
        Ok(payer)
    }

    /// Authenticates a payment with the card that is offered first.
    pub(crate) async fn authenticate(&self, checkout_id: &str) -> Result<Value, Box<dyn std::error::Error>> {
        let cards = ask(self.request(Method::GET, "cards")).await?;
        let cards = cards["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let card = cards.iter().find(|card| card["isDefault"] == true).or_else(|| cards.first());
        let card = card.ok_or("the payer keeps no card; `naru seed-demo` registers one while the card company runs")?;
        println!("pays with      {}", card["number"].as_str().unwrap_or("-"));
        let path = format!("payments/{checkout_id}/authenticate");
        ask(self.request(Method::POST, &path).json(&json!({ "cardId": card["cardId"] }))).await
    }

    /// A call as a page of ours makes it.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/payer/v1/{path}", self.api));
        request.header(header::ORIGIN, self.api).header(header::COOKIE, &self.cookie)
    }
}
