//! Payments accepted without the API, by the same statement it uses: for tests that are about workers, and for herds.

use naru_shared::broker::{Broker, BrokerConfig, Hint, Outgoing, WorkQueue};
use naru_shared::clock::{Clock as _, Ids as _};
use naru_shared::domain::id::{CheckoutId, OperationId, PaymentId, PaymentKey, Tenant};
use naru_shared::domain::instrument::{Card, Instrument};
use naru_shared::domain::money::{Currency, Money};
use naru_shared::domain::operation::{Connector, OperationKind, OperationStatus, Urgency};
use naru_shared::domain::payment::{PaymentDetails, PaymentSource, PaymentState, Work};
use naru_shared::store::{Acceptance, NewOperation, NewPayment, Store};
use naru_shared::system::System;
use naru_shared::telemetry::TraceContext;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::{Bank, Payment};

/// What the API would have accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The payment.
    pub payment: PaymentId,
    /// What the merchant would call it.
    pub payment_key: String,
    /// Its approval.
    pub operation: OperationId,
}

/// A way in beside the API.
pub(crate) struct Backdoor {
    store: Store,
    tenant: Tenant,
    mid: String,
    bank: Bank,
    amqp_url: String,
    broker: OnceCell<Broker>,
}

impl Backdoor {
    pub(crate) fn new(store: Store, tenant: Tenant, mid: String, bank: Bank, amqp_url: String) -> Self {
        Self { store, tenant, mid, bank, amqp_url, broker: OnceCell::new() }
    }

    /// Postgres, as who may do everything.
    pub(crate) fn store(&self) -> Store {
        self.store.clone()
    }

    /// Whose payments it accepts.
    pub(crate) fn tenant(&self) -> Tenant {
        self.tenant
    }

    /// Accepts a payment with a typed-in card. Nobody is told: the sweeper finds it, or [`Backdoor::hint`] tells.
    pub(crate) async fn accept(&self, payment: &Payment, before: Option<OffsetDateTime>) -> Accepted {
        let token = self.bank.register(&payment.card_number, &self.mid).await;
        self.accept_with(&token, payment, before).await
    }

    /// The same, with a card that was registered before.
    pub(crate) async fn accept_with(
        &self,
        token: &Value,
        payment: &Payment,
        before: Option<OffsetDateTime>,
    ) -> Accepted {
        let operation = OperationId(System.ordered());
        let id = PaymentId(System.ordered());
        let work = Work {
            id: operation,
            kind: OperationKind::Approve,
            status: OperationStatus::Queued,
            attempt: 0,
            next_attempt_at: None,
        };
        let state = PaymentState::key_in(Instrument::Card(card(token)), work);
        let trace = TraceContext::start(&System);
        let key = format!("naru_test_{}", id.0.simple());
        let total = Money::new(payment.amount, Currency::Krw).expect("an amount is above zero");
        let new = NewPayment {
            id,
            key: &PaymentKey(key.clone()),
            checkout_id: &CheckoutId(format!("ck_{}", id.0.simple())),
            tenant: self.tenant,
            source: PaymentSource::KeyIn,
            order_id: &payment.order_id,
            order_name: "a pair of socks",
            total,
            tax_free: 0,
            details: &PaymentDetails::default(),
            state: &state,
            trace_id: &trace.trace_hex(),
        };
        let owed = NewOperation {
            id: operation,
            kind: OperationKind::Approve,
            connector: Connector::Card,
            amount: total,
            before,
            trace_parent: &trace.to_header(),
        };
        self.store.create_payment(&Acceptance::new(&new, Some(&owed), None)).await.expect("Postgres accepts it");
        Accepted { payment: id, payment_key: key, operation }
    }

    /// Sends the hints of these operations, all in one batch.
    pub(crate) async fn hint(&self, operations: &[OperationId]) {
        let broker = self
            .broker
            .get_or_init(async || {
                let config = BrokerConfig { url: self.amqp_url.clone(), name: "naru-testbed".to_owned() };
                Broker::start(&config, CancellationToken::new()).expect("the address can be read")
            })
            .await;
        broker.connected().await;
        let queue = WorkQueue::new(Connector::Card.as_str(), Urgency::Pay);
        let messages = operations.iter().map(|operation| {
            Outgoing::work(queue, &Hint { operation: operation.0, attempt: 0, due_at: System.now(), waited: 0 })
        });
        for sent in broker.publisher().publish(messages.collect()).await {
            sent.expect("the broker takes it");
        }
    }
}

/// A card as the API keeps it.
fn card(token: &Value) -> Card {
    let card = json!({ "token": token["token"], "bin": token["bin"], "last4": token["last4"], "fingerprint": "00",
        "issuerCode": token["issuerCode"], "acquirerCode": token["acquirerCode"], "cardType": token["cardType"],
        "ownerType": token["ownerType"], "installmentMonths": 0 });
    serde_json::from_value(card).expect("the card company describes a card")
}
