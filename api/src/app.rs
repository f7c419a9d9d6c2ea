//! What every handler needs.

use std::sync::Arc;

use naru_shared::acquirer::{Registers, TypedAccount, TypedCard, TypedCode, TypedMember, TypedPhone};
use naru_shared::broker::{Hint, Outgoing, Relay, WorkQueue};
use naru_shared::bus::{Bus, Notice};
use naru_shared::config::{Browsers, PublicUrl};
use naru_shared::domain::id::{CheckoutId, OperationId, PaymentId, PaymentKey};
use naru_shared::domain::operation::{Connector, OperationKind, OperationStatus, urgency};
use naru_shared::domain::payment::PaymentState;
use naru_shared::secret::Secret;
use naru_shared::store::{Acceptance, Created, Settled, Store};
use naru_shared::telemetry::TraceContext;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::auth::KeyRing;
use crate::backlog::Backlog;
use crate::browser::Cookies;
use crate::checkout::Tries;
use crate::hub::Hub;
use crate::key_uses::KeyUses;
use crate::passwords::Passwords;
use crate::rates::Rates;
use crate::together::Together;
use crate::turns::Turns;

/// What every handler needs. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Parts>,
}

/// The parts of an [`App`].
pub struct Parts {
    /// Postgres.
    pub store: Store,
    /// Accepts payments, with others that wait.
    pub accepts: Together<Acceptance, Created>,
    /// Looks up how operations stand, with others that wait.
    pub outcomes: Together<OperationId, Option<Settled>>,
    /// Hints to RabbitMQ.
    pub relay: Relay,
    /// Wake-ups to others.
    pub bus: Bus,
    /// Wake-ups for whoever waits here.
    pub hub: Hub,
    /// Who turns a card into a token.
    pub cards: Arc<dyn Registers<TypedCard>>,
    /// Who turns a bank account into one.
    pub accounts: Arc<dyn Registers<TypedAccount>>,
    /// Who sends a code to a phone.
    pub phones: Arc<dyn Registers<TypedPhone>>,
    /// Who turns that code into a token.
    pub codes: Arc<dyn Registers<TypedCode>>,
    /// Who turns a membership into one.
    pub members: Arc<dyn Registers<TypedMember>>,
    /// How many cards payers have tried.
    pub tries: Tries,
    /// Keys, and whose they are.
    pub keys: KeyRing,
    /// When merchants' keys were used.
    pub key_uses: Arc<KeyUses>,
    /// Where payers' passwords are checked.
    pub passwords: Passwords,
    /// Where those of merchants' people are.
    pub staff_passwords: Passwords,
    /// How often something may be tried.
    pub rates: Rates,
    /// How browsers are told apart.
    pub browsers: Browsers,
    /// How sessions are set and read.
    pub cookies: Cookies,
    /// Whose turn it is to cancel a payment.
    pub turns: Turns,
    /// How much is waiting for the acquirers.
    pub backlog: Backlog,
    /// What the world reaches us by.
    pub public: PublicUrl,
    /// What banks sign their callbacks with; without one none is taken.
    pub callback_secret: Option<Secret<String>>,
    /// Cancelled when this instance stops: streams end.
    pub shutdown: CancellationToken,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.inner
    }
}

impl App {
    /// An app of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { inner: Arc::new(parts) }
    }

    /// Offers the hint of an operation that was just accepted. If it is lost the sweeper sends another.
    pub fn hint(
        &self,
        operation: OperationId,
        connector: Connector,
        kind: OperationKind,
        at: OffsetDateTime,
        trace: TraceContext,
    ) {
        let queue = WorkQueue::new(connector.as_str(), urgency(kind, OperationStatus::Queued));
        let hint = Hint { operation: operation.0, attempt: 0, due_at: at, waited: 0 };
        self.relay.offer(Outgoing::work(queue, &hint).with_traceparent(&trace.to_header()));
    }

    /// Wakes whoever waits for a payment, here and in other processes. Never waits itself.
    pub fn wake(&self, payment: PaymentId, version: i64, state: &PaymentState) {
        let notice = Notice { payment: payment.0, version, status: state.status().as_str().to_owned() };
        let bus = self.bus.clone();
        tokio::spawn(async move { bus.publish(&[notice]).await });
    }

    /// Where a payment is found.
    #[must_use]
    pub fn payment_url(&self, key: &PaymentKey) -> String {
        self.public.join(&format!("/v1/payments/{key}"))
    }

    /// Where the newest payment of an order is found.
    #[must_use]
    pub fn order_url(&self, order_id: &str) -> String {
        self.public.join(&format!("/v1/payments/orders/{order_id}"))
    }

    /// Where a payment's payer finds it.
    #[must_use]
    pub fn checkout_url(&self, id: &CheckoutId) -> String {
        self.public.join(&format!("/checkout/v1/{id}"))
    }

    /// Where the card for a billing key is sent.
    #[must_use]
    pub fn billing_url(&self, request_id: &str) -> String {
        self.public.join(&format!("/checkout/v1/billing/{request_id}"))
    }

    /// Where a payment's events are.
    #[must_use]
    pub fn events_url(&self, key: &PaymentKey) -> String {
        self.public.join(&format!("/v1/payments/{key}/events"))
    }
}
