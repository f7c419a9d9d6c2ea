//! A running simulator, and the words the tests use.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use naru_simulator::behaviour::faults::TABLE;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

/// How long a test waits for an answer that will never come. A machine with much else to do may keep a good one that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// How long it waits for an answer that must come.
const LONG: Duration = Duration::from_secs(60);
pub(crate) const SHOP: &str = "shop";

pub(crate) struct Simulator {
    process: Child,
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
    environment: Vec<(&'static str, &'static str)>,
    client: Client,
}

/// Where charges other than a card's are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    Bank,
    Carrier,
    Points,
}

impl Counter {
    pub(crate) const ALL: [Self; 3] = [Self::Bank, Self::Carrier, Self::Points];

    pub(crate) fn base(self) -> &'static str {
        match self {
            Self::Bank => "/bank/v1",
            Self::Carrier => "/carrier/v1",
            Self::Points => "/points/v1",
        }
    }

    pub(crate) fn path(self, call: &str) -> String {
        format!("{}/{call}", self.base())
    }

    /// Where money is given back.
    pub(crate) fn back(self) -> String {
        self.path(if self == Self::Carrier { "cancels" } else { "refunds" })
    }

    /// The number with this fault.
    pub(crate) fn number(self, fault: &str) -> String {
        let fault = TABLE.iter().find(|f| f.name == fault).unwrap_or_else(|| panic!("no fault {fault}"));
        let prefix = if self == Self::Carrier { "0100000" } else { "99900000" };
        format!("{prefix}{}", fault.digits)
    }
}

/// What came of a request: an answer, or none.
pub(crate) type Heard = Result<Answer, Silence>;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    TimedOut,
    Broken,
}

impl Simulator {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(environment: &[(&'static str, &'static str)]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let nth = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("simulator-{}-{nth}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // An error only says that another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (process, url) = spawn(&folder, environment);
        Self { process, url, folder, environment: environment.to_vec(), client: Client::new() }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("journal.jsonl")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// `kill -9`
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        (self.process, self.url) = spawn(&self.folder, &self.environment);
    }

    /// SIGTERM. Says whether it ended well.
    pub(crate) fn terminate(&mut self) -> bool {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.process.wait().unwrap().success()
    }

    /// A request to any path.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        hear(self.request(Method::GET, path)).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        hear(self.request(Method::POST, path).timeout(LONG).json(body)).await.unwrap()
    }

    /// Posts, and gives up after [`PATIENCE`].
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Heard {
        hear(self.request(Method::POST, path).timeout(PATIENCE).json(body)).await
    }

    pub(crate) async fn present(&self, number: &str) -> Heard {
        self.try_post("/v1/cards", &card(number)).await
    }

    /// A token for a card.
    pub(crate) async fn card(&self, number: &str) -> String {
        let answer = self.post("/v1/cards", &card(number)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["token"].as_str().unwrap().to_owned()
    }

    /// A token for a bank account, a phone or a membership.
    pub(crate) async fn token(&self, counter: Counter, number: &str) -> String {
        let answer = self.present_to(counter, number).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["token"].as_str().unwrap().to_owned()
    }

    /// Registers a bank account, a phone (by the right code) or a membership.
    pub(crate) async fn present_to(&self, counter: Counter, number: &str) -> Answer {
        match counter {
            Counter::Bank => self.post("/bank/v1/accounts", &account(number)).await,
            Counter::Points => self.post("/points/v1/members", &member(number)).await,
            Counter::Carrier => {
                let sent = self.post("/carrier/v1/verifications", &phone(number)).await;
                if sent.status != 200 {
                    return sent;
                }
                self.post("/carrier/v1/subscribers", &typed(&sent.body["verificationId"], "000000")).await
            }
        }
    }

    /// A charge at one of the other counters.
    pub(crate) async fn charge(
        &self,
        counter: Counter,
        reference: &str,
        order: &str,
        token: &str,
        amount: i64,
    ) -> Answer {
        self.post(&counter.path("approvals"), &approval(reference, order, token, amount)).await
    }

    /// What became of a reference at another counter.
    pub(crate) async fn inquire_at(&self, base: &str, reference: &str) -> Answer {
        self.get(&format!("{base}/transactions/{reference}")).await
    }

    pub(crate) async fn try_approve(&self, reference: &str, order: &str, token: &str, amount: i64) -> Heard {
        self.try_post("/v1/approvals", &approval(reference, order, token, amount)).await
    }

    pub(crate) async fn approve(&self, reference: &str, order: &str, token: &str, amount: i64) -> Answer {
        self.post("/v1/approvals", &approval(reference, order, token, amount)).await
    }

    pub(crate) async fn try_change(
        &self,
        path: &str,
        reference: &str,
        original: &str,
        order: &str,
        amount: i64,
    ) -> Heard {
        self.try_post(path, &change(reference, original, order, amount)).await
    }

    pub(crate) async fn change(&self, path: &str, reference: &str, original: &str, order: &str, amount: i64) -> Answer {
        self.post(path, &change(reference, original, order, amount)).await
    }

    pub(crate) async fn try_net_cancel(&self, reference: &str, original: &str, amount: i64) -> Heard {
        self.try_post("/v1/net-cancels", &net_cancel(reference, original, amount)).await
    }

    pub(crate) async fn net_cancel(&self, reference: &str, original: &str, amount: i64) -> Answer {
        self.post("/v1/net-cancels", &net_cancel(reference, original, amount)).await
    }

    pub(crate) async fn inquire(&self, reference: &str) -> Answer {
        self.get(&format!("/v1/transactions/{reference}")).await
    }

    /// The sums of the only reference of an order.
    pub(crate) async fn money(&self, order: &str) -> Value {
        let mut answer = self.get(&format!("/admin/effects?orderId={order}")).await;
        assert_eq!(answer.body["effects"].as_array().unwrap().len(), 1, "{}", answer.body);
        answer.body["effects"][0].take()
    }

    /// What an order's payer was charged and still pays.
    pub(crate) async fn charged_and_net(&self, order: &str) -> (i64, i64) {
        let money = self.money(order).await;
        (money["charged"].as_i64().unwrap(), money["net"].as_i64().unwrap())
    }

    pub(crate) async fn script(&self, script: Value) {
        let answer = self.post("/admin/scripts", &script).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    pub(crate) async fn set(&self, settings: Value) {
        let answer = hear(self.request(Method::PUT, "/admin/settings").json(&settings)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

impl Answer {
    /// Insists on a 200 with this result.
    pub(crate) fn is(&self, result: &str) -> &Self {
        assert_eq!((self.status, self.body["result"].as_str()), (200, Some(result)), "{}", self.body);
        self
    }

    /// Insists on this response code.
    pub(crate) fn with_code(&self, code: &str) -> &Self {
        assert_eq!(self.body["responseCode"], code, "{}", self.body);
        self
    }

    /// Insists on this reason.
    pub(crate) fn because(&self, reason: &str) -> &Self {
        assert_eq!(self.body["reason"], reason, "{}", self.body);
        self
    }
}

pub(crate) fn card(number: &str) -> Value {
    json!({ "number": number, "expiryYear": "39", "expiryMonth": "12", "cvc": "739", "password": "48",
        "identityNumber": "930417", "merchantId": SHOP })
}

pub(crate) fn account(number: &str) -> Value {
    json!({ "bankCode": "88", "accountNumber": number, "holderName": "홍길동", "identityNumber": "930417",
        "merchantId": SHOP })
}

pub(crate) fn phone(number: &str) -> Value {
    json!({ "carrier": "SKT", "phoneNumber": number, "birth": "930417", "merchantId": SHOP })
}

pub(crate) fn typed(verification: &Value, code: &str) -> Value {
    json!({ "verificationId": verification, "code": code, "merchantId": SHOP })
}

pub(crate) fn member(number: &str) -> Value {
    json!({ "memberNumber": number, "password": "4826", "merchantId": SHOP })
}

pub(crate) fn approval(reference: &str, order: &str, token: &str, amount: i64) -> Value {
    json!({ "reference": reference, "merchantId": SHOP, "orderId": order, "token": token, "amount": amount,
        "currency": "KRW", "installmentMonths": 0 })
}

pub(crate) fn change(reference: &str, original: &str, order: &str, amount: i64) -> Value {
    json!({ "reference": reference, "originalReference": original, "merchantId": SHOP, "orderId": order,
        "amount": amount, "currency": "KRW" })
}

pub(crate) fn net_cancel(reference: &str, original: &str, amount: i64) -> Value {
    json!({ "reference": reference, "originalReference": original, "merchantId": SHOP, "amount": amount,
        "currency": "KRW" })
}

pub(crate) async fn hear(request: RequestBuilder) -> Heard {
    let silence = |error: reqwest::Error| if error.is_timeout() { Silence::TimedOut } else { Silence::Broken };
    let response = request.send().await.map_err(silence)?;
    let status = response.status().as_u16();
    let text = response.text().await.map_err(silence)?;
    Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
}

fn spawn(folder: &std::path::Path, environment: &[(&str, &str)]) -> (Child, String) {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_naru-simulator"))
        .env("NARU_SIMULATOR_LISTEN", "127.0.0.1:0")
        .env("NARU_SIMULATOR_JOURNAL", folder.join("journal.jsonl"))
        .env("NARU_LOG", "trace,hyper=info")
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("said {line:?}")).to_owned();
    (process, url)
}
