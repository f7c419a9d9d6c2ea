//! The words of the tests about virtual accounts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::simulator::{Answer, SHOP, Simulator};

pub(crate) const BASE: &str = "/virtual-accounts/v1";

pub(crate) fn issue(reference: &str, order: &str) -> Value {
    json!({ "reference": reference, "merchantId": SHOP, "orderId": order, "bankCode": "88", "amount": 1_000,
        "currency": "KRW", "customerName": "홍길동", "dueAt": "2099-01-31T23:59:59+09:00" })
}

pub(crate) fn closure(reference: &str, original: &str) -> Value {
    json!({ "reference": reference, "originalReference": original, "merchantId": SHOP })
}

/// A refund to an account where all is well.
pub(crate) fn pay_out(reference: &str, original: &str, order: &str, amount: i64) -> Value {
    json!({ "reference": reference, "originalReference": original, "merchantId": SHOP, "orderId": order,
        "amount": amount, "currency": "KRW", "purpose": "refund", "bankCode": "06", "accountNumber": "110123456789",
        "holderName": "홍길동" })
}

impl Simulator {
    /// Opens an account that calls nobody back, and says its number.
    pub(crate) async fn open(&self, reference: &str, order: &str) -> String {
        let answer = self.post(&format!("{BASE}/accounts"), &issue(reference, order)).await;
        answer.is("approved").body["accountNumber"].as_str().unwrap().to_owned()
    }

    /// Somebody pays into the newest account of a reference.
    pub(crate) async fn deposit(&self, reference: &str, amount: i64) -> Answer {
        self.post("/admin/deposits", &json!({ "reference": reference, "amount": amount })).await
    }

    pub(crate) async fn close(&self, reference: &str, original: &str) -> Answer {
        self.post(&format!("{BASE}/closures"), &closure(reference, original)).await
    }

    pub(crate) async fn pays_out(&self, reference: &str, original: &str, order: &str, amount: i64) -> Answer {
        self.post(&format!("{BASE}/pay-outs"), &pay_out(reference, original, order, amount)).await
    }

    pub(crate) async fn account(&self, reference: &str) -> Answer {
        self.inquire_at(BASE, reference).await
    }

    /// Waits until the journal says how the callbacks about a deposit ended.
    pub(crate) async fn ends_of_callbacks(&self, key: &str, count: usize) -> Vec<String> {
        let look = async {
            loop {
                let page = self.get(&format!("/admin/journal?reference={key}")).await.body;
                let ends = page["entries"].as_array().unwrap().iter().filter(|e| e["request"] == "notify");
                let ends: Vec<_> = ends.map(|e| e["result"].as_str().unwrap().to_owned()).collect();
                if ends.len() >= count {
                    return ends;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), look).await.unwrap()
    }
}

/// A gateway that hears callbacks.
pub(crate) struct Gateway {
    pub(crate) url: String,
    heard: UnboundedReceiver<Call>,
}

/// A callback as it came.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Vec<u8>,
    pub(crate) body: Value,
}

type Ear = (UnboundedSender<Call>, Arc<AtomicUsize>);

impl Gateway {
    /// Refuses the first so many callbacks, and takes the rest.
    pub(crate) async fn refusing(refusals: usize) -> Self {
        let (tell, heard) = unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/deposits", listener.local_addr().unwrap());
        let service = axum::Router::new()
            .route("/deposits", axum::routing::post(hear))
            .with_state((tell, Arc::new(AtomicUsize::new(refusals))));
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self { url, heard }
    }

    pub(crate) async fn next(&mut self) -> Call {
        tokio::time::timeout(std::time::Duration::from_secs(60), self.heard.recv()).await.unwrap().unwrap()
    }

    /// How many more came by now.
    pub(crate) fn more(&mut self) -> usize {
        std::iter::from_fn(|| self.heard.try_recv().ok()).count()
    }
}

async fn hear(State((tell, refusals)): State<Ear>, headers: HeaderMap, raw: axum::body::Bytes) -> StatusCode {
    let refuses = refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    let body = serde_json::from_slice(&raw).unwrap();
    tell.send(Call { headers, raw: raw.to_vec(), body }).unwrap();
    if refuses { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
}
