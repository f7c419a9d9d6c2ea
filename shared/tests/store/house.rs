//! A database of its own for every story, and a shop that sells in it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use naru_servers::Postgres;
use naru_shared::domain::attempt::{Answer, ApprovalFacts, ApproveAnswer, Manners};
use naru_shared::domain::course::{Claimed, Decision, Step};
use naru_shared::domain::id::{
    AttemptId, CheckoutId, MerchantId, Mode, OperationId, PaymentId, PaymentKey, Tenant, WorkerId,
};
use naru_shared::domain::instrument::{Card, CardType, Instrument, OwnerType};
use naru_shared::domain::money::{Currency, Money};
use naru_shared::domain::operation::{Connector, OperationKind, OperationStatus};
use naru_shared::domain::payment::{Payment, PaymentDetails, PaymentSource, PaymentState, Work};
use naru_shared::store::{
    Acceptance, Answered, NewKey, NewMerchant, NewOperation, NewPayment, Outcome, Role, Store, StoreError,
    StoreOptions, Wanted,
};
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACE_PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(crate) const MANNERS: Manners = Manners {
    dedupes_by_reference: true,
    settle_window: time::Duration::seconds(5),
    total_timeout: time::Duration::seconds(10),
};

/// The address of a server: the one the run was given, or a private one that all stories share.
struct Server {
    url: String,
    _private: Option<Arc<Postgres>>,
}

fn server() -> Server {
    if let Ok(url) = std::env::var("NARU_TEST_DATABASE_URL") {
        return Server { url, _private: None };
    }
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let postgres = shared.upgrade().unwrap_or_else(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store");
        Arc::new(Postgres::start_in(&folder).unwrap())
    });
    *shared = Arc::downgrade(&postgres);
    Server { url: postgres.url(), _private: Some(postgres) }
}

/// A migrated database with one merchant and one living worker.
pub(crate) struct House {
    pub(crate) store: Store,
    /// For what the store has no words for.
    pub(crate) sql: PgPool,
    pub(crate) url: String,
    pub(crate) tenant: Tenant,
    pub(crate) worker: WorkerId,
    name: String,
    server: Server,
}

pub(crate) fn options(connections_max: u32) -> StoreOptions {
    StoreOptions {
        role: Role::LoggedIn,
        connections_max,
        acquire_timeout: Duration::from_secs(20),
        application_name: "naru-test",
    }
}

impl House {
    pub(crate) async fn enter() -> Self {
        let server = tokio::task::spawn_blocking(server).await.unwrap();
        let name = format!("store_{}", Uuid::new_v4().simple());
        let (base, _) = server.url.rsplit_once('/').unwrap();
        let url = format!("{base}/{name}");
        let admin = PgPool::connect(&server.url).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&admin).await.unwrap();
        admin.close().await;
        let store = Store::new(&url, &options(8)).unwrap();
        store.migrate().await.unwrap();
        let merchant = MerchantId(Uuid::now_v7());
        store.create_merchant(&NewMerchant { id: merchant, mid: "shop", name: "Shop" }).await.unwrap();
        let sql = sqlx::postgres::PgPoolOptions::new().max_connections(2).connect(&url).await.unwrap();
        let worker = WorkerId(Uuid::now_v7());
        store.renew_lease(worker, "one").await.unwrap();
        let tenant = Tenant { merchant, mode: Mode::Test };
        Self { store, sql, url, tenant, worker, name, server }
    }

    /// Forgets the database. A story that fails leaves it behind to be looked at.
    pub(crate) async fn leave(self) {
        self.store.close().await;
        self.sql.close().await;
        let admin = PgPool::connect(&self.server.url).await.unwrap();
        let drop = format!("drop database {} with (force)", self.name);
        sqlx::query(AssertSqlSafe(drop)).execute(&admin).await.unwrap();
        admin.close().await;
    }

    /// Runs SQL that this test made itself.
    pub(crate) async fn run(&self, sql: impl Into<String>) -> u64 {
        self.try_run(sql).await.unwrap()
    }

    pub(crate) async fn try_run(&self, sql: impl Into<String>) -> Result<u64, sqlx::Error> {
        Ok(sqlx::query(AssertSqlSafe(sql.into())).execute(&self.sql).await?.rows_affected())
    }

    /// The first column of the first row, as text.
    pub(crate) async fn ask(&self, sql: impl Into<String>) -> String {
        let row = sqlx::query(AssertSqlSafe(format!("select ({})::text", sql.into()))).fetch_one(&self.sql).await;
        row.unwrap().get::<Option<String>, _>(0).unwrap_or_else(|| "null".to_owned())
    }

    pub(crate) async fn another_worker(&self) -> WorkerId {
        let worker = WorkerId(Uuid::now_v7());
        self.store.renew_lease(worker, "another").await.unwrap();
        worker
    }

    /// A payment whose approval is queued.
    pub(crate) async fn sells(&self) -> Sold {
        self.try_sell("key-in", None).await.unwrap()
    }

    pub(crate) async fn try_sell(&self, order: &str, key: Option<&NewKey>) -> Result<Sold, StoreError> {
        let sold = Sold { payment: PaymentId(Uuid::now_v7()), operation: OperationId(Uuid::now_v7()) };
        let order = if order == "key-in" { format!("order-{}", sold.payment.0.simple()) } else { order.to_owned() };
        let state = PaymentState::key_in(card(), sold.work());
        self.create(sold.payment, &order, PaymentSource::KeyIn, &state, Some(sold.new_operation()), key).await?;
        Ok(sold)
    }

    pub(crate) async fn create(
        &self,
        id: PaymentId,
        order_id: &str,
        source: PaymentSource,
        state: &PaymentState,
        operation: Option<NewOperation<'_>>,
        key: Option<&NewKey>,
    ) -> Result<(), StoreError> {
        let payment = NewPayment {
            id,
            key: &PaymentKey(format!("pay_{}", id.0.simple())),
            checkout_id: &CheckoutId(format!("chk_{}", id.0.simple())),
            tenant: self.tenant,
            source,
            order_id,
            order_name: "socks",
            total: won(15_000),
            tax_free: 0,
            details: &PaymentDetails::default(),
            state,
            trace_id: TRACE,
        };
        self.store.create_payment(&Acceptance::new(&payment, operation.as_ref(), key)).await.map(|_| ())
    }

    pub(crate) async fn payment(&self, id: PaymentId) -> Payment {
        self.store.payments(&[id]).await.unwrap().pop().unwrap()
    }

    pub(crate) async fn claims(&self, worker: WorkerId, operation: OperationId) -> Option<Claimed> {
        self.store.claim(worker, &[wanted(operation)], MANNERS).await.unwrap().pop().map(|(claimed, _)| claimed)
    }
}

pub(crate) fn wanted(operation: OperationId) -> Wanted {
    Wanted { operation, attempt: AttemptId(Uuid::now_v7()), early_ms: 0, again: false }
}

/// A payment and its approval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sold {
    pub(crate) payment: PaymentId,
    pub(crate) operation: OperationId,
}

impl Sold {
    pub(crate) fn work(self) -> Work {
        let status = OperationStatus::Queued;
        Work { id: self.operation, kind: OperationKind::Approve, status, attempt: 0, next_attempt_at: None }
    }

    pub(crate) fn new_operation(self) -> NewOperation<'static> {
        NewOperation {
            id: self.operation,
            kind: OperationKind::Approve,
            connector: Connector::Card,
            amount: won(15_000),
            before: None,
            trace_parent: TRACE_PARENT,
        }
    }
}

pub(crate) fn won(amount: i64) -> Money {
    Money::new(amount, Currency::Krw).unwrap()
}

pub(crate) fn card() -> Instrument {
    Instrument::Card(Card {
        token: "tok_1".into(),
        bin: "433012".into(),
        last4: "1234".into(),
        fingerprint: "00".into(),
        issuer_code: "61".into(),
        acquirer_code: "61".into(),
        card_type: CardType::Credit,
        owner_type: OwnerType::Person,
        installment_months: 0,
    })
}

pub(crate) fn key(name: &str) -> NewKey {
    NewKey {
        route: "POST /v1/payments/key-in".into(),
        key: name.into(),
        fingerprint: [7; 32],
        members: serde_json::json!({}),
    }
}

pub(crate) fn approved() -> ApproveAnswer {
    ApproveAnswer::Approved(ApprovalFacts { money: Some(won(15_000)), number: "12345678".into(), interest_payer: None })
}

pub(crate) fn unknown() -> ApproveAnswer {
    ApproveAnswer::Unknown("timeout".into())
}

/// What a claim comes to when its fresh attempt was answered like this.
pub(crate) fn outcome(claimed: &Claimed, answer: &ApproveAnswer) -> Outcome {
    let fresh = claimed.fresh.as_ref().unwrap();
    let now = claimed.operation.created_at + time::Duration::seconds(1);
    let step = claimed.after_approve(&fresh.reference, answer, now, &mut two_seconds);
    let answered = answered(fresh.id, &Answer::Approve(answer.clone()));
    Outcome::new(claimed, decision(step), Some(answered), TRACE.into())
}

pub(crate) fn answered(attempt: AttemptId, answer: &Answer) -> Answered {
    let code = answer.code().map(str::to_owned);
    Answered { attempt, call: answer.call(), word: answer.word(), code, latency_ms: 12 }
}

pub(crate) fn decision(step: Step) -> Decision {
    match step {
        Step::Decide(decision) => *decision,
        Step::Approve { .. }
        | Step::Issue { .. }
        | Step::Change { .. }
        | Step::Verify(_)
        | Step::Inquire { .. }
        | Step::NetCancel { .. } => panic!("{step:?} is no decision"),
    }
}

pub(crate) fn two_seconds(_tries: i32) -> time::Duration {
    time::Duration::seconds(2)
}

/// Long after every deadline and settle window of what was accepted just now.
pub(crate) fn much_later(claimed: &Claimed) -> OffsetDateTime {
    claimed.operation.created_at + time::Duration::minutes(4)
}
