//! The card company: what it shall do wrong, and what it really did.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::http::client;

/// The simulator of a gateway, as its tests command it. Cheap to clone.
#[derive(Clone)]
pub struct Bank {
    url: String,
    http: Client,
}

impl Bank {
    pub(crate) fn new(url: String) -> Self {
        Self { url, http: client(Duration::from_secs(60)) }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Treats the next calls of this kind (`approve`, `inquire`, `net_cancel` …) about an order by these steps, one
    /// each (see `simulator/README.md`): `bank.script("order-1", "approve", json!([{ "do": "timeout_after" }]))`.
    pub async fn script(&self, order_id: &str, call: &str, steps: Value) {
        self.call(
            Method::POST,
            "/admin/scripts",
            Some(json!({ "match": { "orderId": order_id, "call": call }, "steps": steps })),
        )
        .await;
    }

    /// A script of the test's own making.
    pub async fn script_whole(&self, script: Value) {
        self.call(Method::POST, "/admin/scripts", Some(script)).await;
    }

    /// Ends every script.
    pub async fn clear_scripts(&self) {
        self.call(Method::DELETE, "/admin/scripts", None).await;
    }

    /// Parks the next call of this kind about an order `before` or `after` its effect.
    pub async fn hold(&self, order_id: &str, call: &str, effect: &str) -> BankHold {
        self.hold_where(json!({ "orderId": order_id, "call": call }), effect).await
    }

    /// Parks the next call that matches `before` or `after` its effect. Registrations of cards carry no order.
    pub async fn hold_where(&self, matches: Value, effect: &str) -> BankHold {
        self.hold_then(matches, effect, json!("approve")).await
    }

    /// The same, and `then` treats it by this step.
    pub async fn hold_then(&self, matches: Value, effect: &str, then: Value) -> BankHold {
        let id = format!("hold-{}", crate::run::unique());
        let step = json!({ "do": "hold", "id": id, "effect": effect, "then": then });
        self.script_whole(json!({ "match": matches, "steps": [step] })).await;
        BankHold { bank: self.clone(), id }
    }

    /// Changes settings of the whole program: `mode`, `inquiryLagMs`, `latencyMs`.
    pub async fn set(&self, settings: Value) {
        self.call(Method::PUT, "/admin/settings", Some(settings)).await;
    }

    /// Everything it was asked about an order, in order.
    pub async fn journal(&self, order_id: &str) -> Vec<Value> {
        let mut page = self.call(Method::GET, &format!("/admin/journal?orderId={order_id}"), None).await;
        serde_json::from_value(page["entries"].take()).expect("a page has entries")
    }

    /// How often it was asked this (`approve`, `inquire` …) about an order.
    pub async fn asked(&self, order_id: &str, call: &str) -> usize {
        self.journal(order_id).await.iter().filter(|entry| entry["request"] == call).count()
    }

    /// What became of an order's money there.
    pub async fn money(&self, order_id: &str) -> Money {
        let answer = self.call(Method::GET, &format!("/admin/effects?orderId={order_id}"), None).await;
        let effects = answer["effects"].as_array().cloned().unwrap_or_default();
        let sum = |member: &str| effects.iter().filter_map(|effect| effect[member].as_i64()).sum();
        Money {
            charges: sum("charges"),
            standing_charges: sum("standingCharges"),
            charged: sum("charged"),
            captured: sum("captured"),
            voided: sum("voided"),
            refunded: sum("refunded"),
            net: sum("net"),
        }
    }

    /// Captures (`captures`) or takes back (`cancels`, `refunds`) so much of an order's charge, though nobody asked it to. Returns
    /// its own name for that transaction.
    pub async fn acts_by_itself(&self, order_id: &str, path: &str, amount: i64) -> String {
        let journal = self.journal(order_id).await;
        let charged = journal.iter().find(|entry| entry["effect"] == "charged").expect("the order was charged");
        let own = format!("its-own-{}", crate::run::unique());
        let body = json!({ "reference": own, "orderId": order_id,
            "originalReference": charged["reference"], "merchantId": charged["merchantId"], "amount": amount,
            "currency": "KRW" });
        let answer = self.call(Method::POST, &format!("/v1/{path}"), Some(body)).await;
        assert_eq!(answer["result"], "approved", "{answer}");
        own
    }

    /// Somebody pays into the account of an order: what was asked, unless another `amount` or the like is said
    /// (`POST /admin/deposits` in `simulator/README.md`). Returns the deposit as the bank tells it.
    pub async fn deposit(&self, order_id: &str, more: Value) -> Value {
        self.deposit_where(json!({ "orderId": order_id }), more).await
    }

    /// The same, into the account that was opened under this reference.
    pub async fn deposit_into(&self, reference: &str, more: Value) -> Value {
        self.deposit_where(json!({ "reference": reference }), more).await
    }

    async fn deposit_where(&self, mut body: Value, more: Value) -> Value {
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        self.call(Method::POST, "/admin/deposits", Some(body)).await
    }

    /// What becomes of a deposit: `land`, `vanish` or `take-back`.
    pub async fn move_deposit(&self, key: &str, how: &str, body: Value) -> Value {
        self.call(Method::POST, &format!("/admin/deposits/{key}/{how}"), Some(body)).await
    }

    /// Asks the bank what became of a reference of a virtual account, as its own people may: what is to fail later does so then.
    pub async fn asks_after(&self, reference: &str) -> Value {
        self.call(Method::GET, &format!("/virtual-accounts/v1/transactions/{reference}"), None).await
    }

    /// The last four digits of the accounts that were asked to be paid to for an order, in order.
    pub async fn paid_to(&self, order_id: &str) -> Vec<String> {
        let journal = self.journal(order_id).await;
        let sent = journal.iter().filter(|entry| entry["request"] == "pay_out");
        let last4 = sent.filter_map(|entry| entry["details"]["pay_out"]["to"]["last4"].as_str());
        last4.map(str::to_owned).collect()
    }

    /// What should have become of an order's money: `bank.expect("order-1").charged_once().await`.
    #[must_use]
    pub fn expect(&self, order_id: &str) -> Expected {
        Expected { bank: self.clone(), order_id: order_id.to_owned() }
    }

    /// How many points a member has there, by the token that was given for it.
    pub async fn points(&self, token: &str) -> i64 {
        self.call(Method::GET, &format!("/points/v1/members/{token}"), None).await["balance"]
            .as_i64()
            .unwrap_or_default()
    }

    /// A token for a card, as the API gets one.
    pub(crate) async fn register(&self, card_number: &str, mid: &str) -> Value {
        let card = json!({ "number": card_number, "expiryYear": "39", "expiryMonth": "12", "merchantId": mid });
        self.call(Method::POST, "/v1/cards", Some(card)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let what = format!("{method} {path} at the card company");
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "{what}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{what}: {error} in {text}"))
    }
}

/// What became of an order's money at the card company, over all references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    /// How often the payer was charged.
    pub charges: i64,
    /// How many of those charges were not undone.
    pub standing_charges: i64,
    /// How much was charged in all.
    pub charged: i64,
    /// How much of that was captured.
    pub captured: i64,
    /// How much went back before capture.
    pub voided: i64,
    /// How much went back after it.
    pub refunded: i64,
    /// What the payer pays in the end.
    pub net: i64,
}

/// A claim about an order's money, checked when awaited.
pub struct Expected {
    bank: Bank,
    order_id: String,
}

impl Expected {
    /// Charged once, and that charge stands.
    ///
    /// # Panics
    /// When not; shows the journal.
    pub async fn charged_once(self) {
        self.is("charged once", |money| money.charges == 1 && money.standing_charges == 1).await;
    }

    /// Whatever happened on the way, exactly one charge stands.
    ///
    /// # Panics
    /// When not; shows the journal.
    pub async fn one_charge_stands(self) {
        self.is("one standing charge", |money| money.standing_charges == 1).await;
    }

    /// Never charged.
    ///
    /// # Panics
    /// When it was; shows the journal.
    pub async fn never_charged(self) {
        self.is("never charged", |money| money.charges == 0).await;
    }

    /// Charged, and all of it went back.
    ///
    /// # Panics
    /// When not; shows the journal.
    pub async fn charged_then_reversed(self) {
        self.is("charged, then reversed", |money| money.charges > 0 && money.standing_charges == 0 && money.net == 0)
            .await;
    }

    async fn is(self, what: &str, holds: impl Fn(&Money) -> bool) {
        let money = self.bank.money(&self.order_id).await;
        if !holds(&money) {
            let journal = self.bank.journal(&self.order_id).await;
            let lines: Vec<String> = journal.iter().map(Value::to_string).collect();
            panic!("{} should be {what}, but is {money:?}:\n{}", self.order_id, lines.join("\n"));
        }
    }
}

/// Where the card company parks a call until the test lets it go.
#[must_use]
pub struct BankHold {
    bank: Bank,
    id: String,
}

impl BankHold {
    /// Waits until a call is parked here.
    ///
    /// # Panics
    /// When none comes within 30 s.
    pub async fn reached(&self) {
        let held = self.bank.call(Method::GET, &format!("/admin/holds/{}", self.id), None).await;
        assert!(held["parked"].as_u64() > Some(0), "nobody came to {}: {held}", self.id);
    }

    /// Lets it go on, and everything that comes later pass.
    pub async fn release(self) {
        self.bank.call(Method::POST, &format!("/admin/holds/{}/release", self.id), None).await;
    }
}
