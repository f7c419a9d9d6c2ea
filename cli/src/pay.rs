//! `naru pay`: a payment in the sandbox, with its events as they happen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use naru_shared::clock::Ids as _;
use naru_shared::system::System;
use reqwest::{Client, header};
use serde_json::{Value, json};

use crate::events::follow;
use crate::http::{client, json as ask, payment};
use crate::payer::Payer;
use crate::{Outcome, needed};

/// Test cards of the sandbox; `simulator/README.md` lists them all.
const APPROVED: &str = "4242424242424242";
const DECLINED: &str = "4000000000000002";
const SLOW: &str = "4000000900080005";
const LOST: &str = "4000000900070006";

/// Makes a payment and shows its events as they happen.
#[derive(Args)]
pub(crate) struct Pay {
    /// In won.
    #[arg(long, default_value_t = 15_000)]
    amount: i64,
    /// A test card of the sandbox.
    #[arg(long)]
    card: Option<String>,
    /// Use the card that the card company declines.
    #[arg(long, conflicts_with_all = ["card", "slow", "lost"])]
    decline: bool,
    /// Use the card whose approval takes 3 seconds.
    #[arg(long, conflicts_with_all = ["card", "lost"])]
    slow: bool,
    /// Use the card that is charged although the answer never comes: watch it being found out.
    #[arg(long, conflicts_with = "card")]
    lost: bool,
    /// Walk create, authenticate and confirm instead of typing the card in.
    #[arg(long)]
    checkout: bool,
    /// The same with the demo payer, who signs in and pays with a stored card (NARU_PAYER_EMAIL, NARU_PAYER_PASSWORD).
    #[arg(long, conflicts_with_all = ["checkout", "card", "decline", "slow", "lost"])]
    payer: bool,
}

impl Pay {
    pub(crate) async fn run(self) -> Outcome {
        let api = needed("NARU_API_URL")?;
        let authorization = format!("Basic {}", STANDARD.encode(format!("{}:", needed("NARU_SECRET_KEY")?)));
        let shop = Shop { http: client()?, api, authorization };
        let accepted = match self.checkout || self.payer {
            true => self.check_out(&shop).await?,
            false => self.key_in(&shop).await?,
        };
        let key = accepted["paymentKey"].as_str().ok_or("the answer has no paymentKey")?;
        println!("paymentKey {key}\n");
        let url = format!("{}/v1/payments/{key}/events", shop.api);
        let last = follow(&shop.http, &url, &shop.authorization).await?;
        let last = last.unwrap_or_default();
        let text = |member: &str| last[member].as_str().unwrap_or("-").to_owned();
        println!("\n{} ({})", text("status"), text("moneyState"));
        Ok(())
    }

    async fn key_in(&self, shop: &Shop) -> Result<Value, Box<dyn std::error::Error>> {
        let mut body = self.card_fields();
        body["amount"] = json!(self.amount);
        body["orderId"] = json!(order_id());
        body["orderName"] = json!("나루터 뱃삯");
        shop.post("/v1/payments/key-in", &body).await
    }

    async fn check_out(&self, shop: &Shop) -> Result<Value, Box<dyn std::error::Error>> {
        let order_id = order_id();
        let created = shop
            .post(
                "/v1/payments",
                &json!({
                    "amount": self.amount, "orderId": order_id, "orderName": "나루터 뱃삯", "method": "카드",
                    "successUrl": "https://shop.example/success", "failUrl": "https://shop.example/fail",
                }),
            )
            .await?;
        let url = created["checkout"]["url"].as_str().ok_or("the answer has no checkout.url")?;
        let page = url.rsplit('/').next().unwrap_or_default();
        println!("created        {url}");
        let authenticated = if self.payer {
            let payer = Payer::sign_in(&shop.http, &shop.api).await?;
            println!("signed in      {}", payer.email);
            payer.authenticate(page).await?
        } else {
            let authenticate = format!("{}/checkout/v1/{page}/authenticate", shop.api);
            ask(shop.http.post(authenticate).json(&self.card_fields())).await?
        };
        println!("authenticated  next: {}", authenticated["nextUrl"].as_str().unwrap_or("-"));
        let confirm = json!({ "paymentKey": created["paymentKey"], "orderId": order_id, "amount": self.amount });
        shop.post("/v1/payments/confirm", &confirm).await
    }

    fn card_fields(&self) -> Value {
        let card = match &self.card {
            Some(card) => card.as_str(),
            None if self.decline => DECLINED,
            None if self.slow => SLOW,
            None if self.lost => LOST,
            None => APPROVED,
        };
        json!({
            "cardNumber": card, "cardExpirationYear": "35", "cardExpirationMonth": "12",
            "customerIdentityNumber": "900101",
        })
    }
}

struct Shop {
    http: Client,
    api: String,
    authorization: String,
}

impl Shop {
    async fn post(&self, path: &str, body: &Value) -> Result<Value, Box<dyn std::error::Error>> {
        let request = self
            .http
            .post(format!("{}{path}", self.api))
            .header(header::AUTHORIZATION, &self.authorization)
            .header("prefer", "respond-async")
            .json(body);
        payment(request).await
    }
}

fn order_id() -> String {
    format!("order-{}", System.ordered().simple())
}
