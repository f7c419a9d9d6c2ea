//! The card company's two calls, with as little as possible around them.

use naru_servers::Failure;
use reqwest::{Client, header};
use uuid::Uuid;

use crate::Outcome;
use crate::http::{answer, member};

const CARD: &str = r#"{"number":"4242424242424242","expiryYear":"35","expiryMonth":"12","identityNumber":"900101","merchantId":"floor"}"#;

#[derive(Clone)]
pub(super) struct Acquirer {
    http: Client,
    cards: String,
    approvals: String,
}

impl Acquirer {
    pub(super) fn new(http: Client, url: &str) -> Self {
        Self { http, cards: format!("{url}/v1/cards"), approvals: format!("{url}/v1/approvals") }
    }

    /// A token for the card.
    pub(super) async fn register(&self) -> Outcome<String> {
        let body = self.post("register a card", &self.cards, CARD.into()).await?;
        let token = member(&body, "token").map(str::to_owned);
        token.ok_or_else(|| Failure::new("register a card", &body))
    }

    pub(super) async fn approve(&self, reference: Uuid, order_id: &str, token: &str) -> Outcome {
        let reference = reference.simple();
        let request = format!(
            r#"{{"reference":"{reference}","merchantId":"floor","orderId":"{order_id}","token":"{token}","amount":15000,"currency":"KRW","installmentMonths":0}}"#
        );
        let body = self.post("approve a payment", &self.approvals, request).await?;
        match member(&body, "result") {
            Some("approved") => Ok(()),
            _ => Err(Failure::new("approve a payment", body)),
        }
    }

    async fn post(&self, step: &str, url: &str, body: String) -> Outcome<String> {
        let request = self.http.post(url).header(header::CONTENT_TYPE, "application/json").body(body);
        Ok(String::from_utf8_lossy(&answer(step, request, 200).await?).into_owned())
    }
}
