//! Naru from outside, as a merchant's server and a payer's page use it.

mod watch;

use std::time::Instant;

use naru_servers::Failure;
use naru_shared::clock::Ids as _;
use naru_shared::system::System;
use reqwest::{Client, RequestBuilder, header};
use tokio::sync::mpsc;

use crate::Outcome;
use crate::http::{answer, client, member};
use crate::measure::Made;
use crate::stack::Addresses;
pub(crate) use watch::Watched;

/// The card that is always approved.
const CARD: &str = r#""cardNumber":"4242424242424242","cardExpirationYear":"35","cardExpirationMonth":"12","customerIdentityNumber":"900101""#;
/// Payments prepared side by side.
const PREPARING_MAX: usize = 16;
/// Streams that are open before their payments are confirmed: a second's worth at the usual rate.
const STREAMS_MAX: usize = 200;

/// A merchant with its key. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shop {
    http: Client,
    api: String,
    secret_key: String,
}

/// A payment that its payer has authenticated, and that only has to be confirmed.
pub(crate) struct Authenticated {
    key: String,
    order_id: String,
}

impl Shop {
    pub(crate) fn new(addresses: &Addresses, secret_key: &str) -> Outcome<Self> {
        Ok(Self { http: client()?, api: addresses.api.clone(), secret_key: secret_key.to_owned() })
    }

    /// One payment by key-in, waited for.
    pub(crate) async fn key_in(&self) -> Outcome<Made> {
        let body = format!(r#"{{"amount":15000,"orderId":"{}","orderName":"나루터 뱃삯",{CARD}}}"#, order_id());
        let request = self.post("/v1/payments/key-in", body).header("prefer", "wait=10");
        done("pay by key-in", &answer("pay by key-in", request, 200).await?)?;
        let heard = Instant::now();
        Ok(Made { accepted: heard, heard })
    }

    /// One payment as a payer makes it: created, authenticated, confirmed.
    pub(crate) async fn check_out(&self) -> Outcome {
        let authenticated = self.authenticate().await?;
        let request = self.confirm(&authenticated).header("prefer", "wait=10");
        done("confirm a payment", &answer("confirm a payment", request, 200).await?)
    }

    async fn authenticate(&self) -> Outcome<Authenticated> {
        let order_id = order_id();
        let body = format!(
            r#"{{"amount":15000,"orderId":"{order_id}","orderName":"나루터 뱃삯","method":"카드","successUrl":"https://shop.example/success","failUrl":"https://shop.example/fail"}}"#
        );
        let created = answer("create a payment", self.post("/v1/payments", body), 200).await?;
        let created = String::from_utf8_lossy(&created);
        let missing = || Failure::new("create a payment", &created);
        let key = member(&created, "paymentKey").ok_or_else(missing)?.to_owned();
        let page = member(&created, "url").and_then(|url| url.rsplit('/').next()).ok_or_else(missing)?;
        let url = format!("{}/checkout/v1/{page}/authenticate", self.api);
        let request = self.http.post(url).header(header::CONTENT_TYPE, "application/json").body(format!("{{{CARD}}}"));
        answer("authenticate a payment", request, 200).await?;
        Ok(Authenticated { key, order_id })
    }

    fn confirm(&self, payment: &Authenticated) -> RequestBuilder {
        let Authenticated { key, order_id } = payment;
        self.post("/v1/payments/confirm", format!(r#"{{"paymentKey":"{key}","orderId":"{order_id}","amount":15000}}"#))
    }

    fn post(&self, path: &str, body: String) -> RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.api)).basic_auth(&self.secret_key, Some(""));
        request.header(header::CONTENT_TYPE, "application/json").body(body)
    }

    /// So many authenticated payments, each of which will be watched by a stream that is open before it is confirmed.
    pub(crate) async fn watched(&self, count: u32) -> Outcome<mpsc::Receiver<Outcome<Watched>>> {
        let mut authenticated = Vec::new();
        let mut preparing = tokio::task::JoinSet::new();
        for _ in 0..count {
            if preparing.len() >= PREPARING_MAX {
                authenticated.extend(joined(preparing.join_next().await)?);
            }
            let shop = self.clone();
            preparing.spawn(async move { shop.authenticate().await });
        }
        while !preparing.is_empty() {
            authenticated.extend(joined(preparing.join_next().await)?);
        }
        let (streams, watched) = mpsc::channel(STREAMS_MAX);
        let shop = self.clone();
        tokio::spawn(async move {
            for payment in authenticated {
                let opened = Watched::open(&shop, payment).await;
                if streams.send(opened).await.is_err() {
                    return;
                }
            }
        });
        Ok(watched)
    }
}

fn joined<T>(ended: Option<Result<Outcome<T>, tokio::task::JoinError>>) -> Outcome<Option<T>> {
    ended.map(|ended| ended.map_err(|cause| Failure::new("prepare a payment", cause))?).transpose()
}

fn done(step: &str, body: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(body);
    if member(&text, "status") == Some("DONE") { Ok(()) } else { Err(Failure::new(step, text)) }
}

fn order_id() -> String {
    format!("bench-{}", System.ordered().simple())
}
