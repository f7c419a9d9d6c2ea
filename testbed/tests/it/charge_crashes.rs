//! Workers that are killed or cut off from Postgres while they charge a billing key: the customer is charged once.

use naru_shared::domain::id::OperationId;
use naru_testbed::{Gateway, Payment};

use crate::courses::{cut_at, killed_everywhere, naive, newest};
use crate::crash::{SLOW_LIMIT, TAKEOVER_LIMIT};

const CUSTOMER: &str = "c0a8012e-6f3b-4b5e.9b1d@2d8c=1f0e_7a55";

/// A charge of a billing key.
#[derive(Clone, Copy)]
struct Charge;

impl crate::courses::Course for Charge {
    /// The key, and what it is charged for.
    type Of = (String, Payment);

    fn call(self) -> &'static str {
        "approve"
    }

    fn order((_, payment): &Self::Of) -> &str {
        &payment.order_id
    }

    async fn prepared(self, gateway: &Gateway) -> Self::Of {
        (gateway.shop.billing_key(CUSTOMER, "approve").await, Payment::of(4_900))
    }

    async fn accepted(self, gateway: &Gateway, (key, payment): &Self::Of) -> OperationId {
        let answer = gateway.shop.charge(key, CUSTOMER, payment).prefer("respond-async").await;
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        newest(gateway, &payment.order_id).await.expect("it was accepted")
    }

    async fn was_done_once(self, gateway: &Gateway, (_, payment): &Self::Of) {
        let read = gateway.shop.get_order(&payment.order_id).await.expecting(200);
        let told = (read.text("status"), read.text("moneyState"), read.text("type"));
        assert_eq!(told, ("DONE", "MOVED", "BILLING"), "{read:?}");
        gateway.bank.expect(&payment.order_id).one_charge_stands().await;
        assert_eq!(gateway.bank.money(&payment.order_id).await.net, 4_900);
    }
}

killed_everywhere! {{
    a_charge_with_dedupe: Charge, Gateway::with(), TAKEOVER_LIMIT;
    a_charge_without_dedupe: Charge, naive(), SLOW_LIMIT;
}}

cut_at! {
    all: [Charge];
    Point("claimed"), Charge;
    Sent("after"), Charge;
    Point("heard"), Charge;
    Point("recorded"), Charge;
}
