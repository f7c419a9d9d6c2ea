//! A good request for each call, of which one thing at a time is made wrong.

use std::sync::Arc;

use base64::Engine as _;
use naru_testbed::{Account, Answer, Gateway, Payer, Payment, canary, cards};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::document::Described;
use super::wrong::Wrong;

/// A call with everything it needs to succeed.
pub(crate) struct Target {
    pub(crate) call: Described,
    /// The path, filled in.
    path: String,
    /// Fields of the good body, as JSON text.
    good: Vec<(String, String)>,
    /// What the payment's creation answered.
    created: Answer,
    /// Who is signed in, for the calls of payers.
    account: Option<Arc<Account>>,
}

impl Target {
    /// Prepares a payment that this call would succeed with.
    ///
    /// # Panics
    /// When the call has a parameter or field that this does not know: say what a good one is.
    pub(crate) async fn prepare(gateway: &Gateway, call: Described) -> Self {
        let order = Payment::of(12_000);
        let confirms =
            call.path == "/v1/payments/confirm" || (call.path == "/v1/payments/{paymentKey}" && call.body.is_some());
        let created = if confirms {
            gateway.shop.authenticated(&order).await
        } else {
            gateway.shop.create(&order).await.expecting(200)
        };
        let account = match call.is_of_payers() {
            true => Some(Arc::new(gateway.payer().await)),
            false => None,
        };
        let mut card_id = String::new();
        if let Some(account) = account.as_ref().filter(|_| call.needs_card()) {
            card_id = account.keeps("approve").await;
            // Nobody sees or cancels a payment but who authenticated it.
            if call.path.contains("{checkoutId}") && !call.path.ends_with("/authenticate") {
                let _ = account.authenticate(&created, &card_id).await.expecting(200);
            }
        }
        let stranger = gateway.stranger("test");
        let email = match &account {
            Some(account) if !call.path.ends_with("/sign-up") => account.email.clone(),
            Some(_) | None => stranger.email,
        };
        let password = account.as_ref().map_or(stranger.password, |account| account.password.clone());
        let checkout_id = created.text("checkout.url").rsplit('/').next().unwrap_or_default();
        let path = call
            .path
            .replace("{paymentKey}", created.payment_key())
            .replace("{orderId}", &order.order_id)
            .replace("{checkoutId}", checkout_id)
            .replace("{cardId}", &card_id);
        assert!(!path.contains('{'), "say what {path} is filled in with");
        let order_id = if confirms { order.order_id.clone() } else { Payment::of(1).order_id };
        let fields = call.body.iter().flatten();
        let good = fields.map(|field| {
            let value: Value = match field.name.as_str() {
                "amount" => 12_000.into(),
                "orderId" => order_id.as_str().into(),
                "paymentKey" => created.payment_key().into(),
                "orderName" => "양말 한 켤레".into(),
                "currency" => "KRW".into(),
                "taxFreeAmount" => 0.into(),
                "customerName" => "홍길동".into(),
                "customerEmail" => "hong@shop.example".into(),
                "metadata" => serde_json::json!({ "color": "red" }),
                "method" => "카드".into(),
                "successUrl" => "https://shop.example/paid".into(),
                "failUrl" => "https://shop.example/failed".into(),
                "cardNumber" => cards::number("approve").into(),
                "cardExpirationYear" => "39".into(),
                "cardExpirationMonth" => "12".into(),
                "cardPassword" => "12".into(),
                "customerIdentityNumber" => canary::IDENTITY_NUMBER.into(),
                "cvc" => "123".into(),
                "cardInstallmentPlan" => 0.into(),
                "email" => email.as_str().into(),
                "password" | "currentPassword" => password.as_str().into(),
                "newPassword" => "another horse battery".into(),
                "mode" => "test".into(),
                "nickname" => "빨간 카드".into(),
                "cardId" => card_id.as_str().into(),
                "approveBefore" => "2999-12-31T23:59:59+09:00".into(),
                other => panic!("{}: say what a good {other} is", call.name()),
            };
            (field.name.clone(), value.to_string())
        });
        Self { good: good.collect(), call: call.clone(), path, created, account }
    }

    /// The same call about a payment that there is not.
    pub(crate) fn of_nobody(&self) -> Self {
        let key = self.payment_key();
        let stranger = format!("naru_{}", "0".repeat(40));
        let order = self.created.text("orderId");
        let replaced = |text: &str| text.replace(key, &stranger).replace(order, "order-of-nobody");
        Self {
            call: self.call.clone(),
            path: replaced(&self.path),
            good: self.good.iter().map(|(name, value)| (name.clone(), replaced(value))).collect(),
            created: self.created.clone(),
            account: self.account.clone(),
        }
    }

    /// Who is signed in.
    ///
    /// # Panics
    /// When it is no call of payers.
    pub(crate) fn account(&self) -> &Account {
        self.account.as_ref().expect("a call of payers has one")
    }

    /// What the merchant calls the payment.
    pub(crate) fn payment_key(&self) -> &str {
        self.created.payment_key()
    }

    /// The token to watch it by.
    pub(crate) fn checkout_token(&self) -> &str {
        self.created.text("checkoutToken")
    }

    /// Its payer.
    pub(crate) fn payer(&self, gateway: &Gateway) -> Payer {
        gateway.shop.payer_of(&self.created)
    }

    /// The address, with a query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The good body with this instead of one field.
    pub(crate) fn body_with(&self, name: &str, wrong: &Wrong) -> Vec<u8> {
        let mut members: Vec<Vec<u8>> = Vec::new();
        for (good, value) in &self.good {
            let value = match good == name {
                true => wrong.raw.as_deref(),
                false => Some(value.as_bytes()),
            };
            if let Some(value) = value {
                members.push([format!("\"{good}\":").as_bytes(), value].concat());
            }
        }
        [b"{".as_slice(), &members.join(b",".as_slice()), b"}"].concat()
    }

    /// The good body.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.body_with("", &Wrong { what: "nothing", raw: None })
    }

    /// The call with some body; the checkout's calls need no key and are made without one.
    pub(crate) fn request(&self, gateway: &Gateway, body: Vec<u8>) -> RequestBuilder {
        self.bare(gateway).header("content-type", "application/json").body(body)
    }

    /// The call without body and content type.
    pub(crate) fn bare(&self, gateway: &Gateway) -> RequestBuilder {
        self.at(gateway, self.call.method.clone(), &self.path)
    }

    /// What the caller says of itself beside a key, as lines of a head.
    pub(crate) fn lines(&self) -> Vec<String> {
        let headers = self.account.as_ref().map(|account| account.headers()).unwrap_or_default();
        headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    /// Another path or method by the same: a payer who is signed in, or a merchant's server.
    pub(crate) fn at(&self, gateway: &Gateway, method: Method, path: &str) -> RequestBuilder {
        match &self.account {
            Some(account) => account.request(method, path),
            None => gateway.shop.request(method, path),
        }
    }
}

/// `Basic` credentials of a key.
pub(crate) fn basic(key: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{key}:")))
}
