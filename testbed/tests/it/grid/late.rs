//! What comes to light late. A worker is frozen while the card company and the bank have its requests, for longer than they
//! promised, and neither of them knows a reference again. Whoever takes over finds nothing and asks anew; then what was asked first is
//! done after all, and the frozen worker hears of it.

use futures::future::join_all;
use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Gateway, Link, Payment, Who, eventually};
use serde_json::json;
use time::Duration;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Barrier;

use super::accounts::payee;
use super::{PATIENCE, until_event};
use crate::account_crashes::open_accounts;

/// What all stories wait for each other at.
struct Stage<'a> {
    gateway: &'a Gateway,
    /// Everything was asked; the worker that asked is frozen, and another one takes over.
    frozen: Barrier,
    /// It was done after all; the worker that asked is thawed.
    thawed: Barrier,
}

/// Where the payment stands when its first approval comes to light.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Standing {
    Aborted,
    InProgress,
    Done,
    PartialCanceled,
    Canceled,
}
use Standing::{Aborted, Canceled, Done, InProgress, PartialCanceled};

impl Stage<'_> {
    /// The payer is charged twice, or once for what was given up. Returns the order.
    async fn approved_after_all(&self, standing: Standing) -> String {
        let (shop, bank) = (&self.gateway.shop, &self.gateway.bank);
        let mut payment = Payment::of(12_000);
        if standing == Aborted {
            let soon = System.now() + Duration::seconds(4);
            payment = payment.with("approveBefore", soon.format(&Rfc3339).expect("it is a time"));
        }
        let order_id = payment.order_id.as_str();
        let first = bank.hold(order_id, "approve", "before").await;
        let key = shop.begin(&payment).await;
        first.reached().await;
        self.frozen.wait().await;

        match standing {
            Aborted => {
                until_event(self.gateway, order_id, "payment.aborted").await;
                // Its reversal is not answered at once.
                bank.script(order_id, "net_cancel", json!([{ "do": "drop_after" }])).await;
            }
            InProgress => {
                let matches = json!({ "orderId": order_id, "call": "approve" });
                let busy = json!({ "match": matches, "steps": [{ "do": "busy" }], "then": "repeat_last" });
                bank.script_whole(busy).await;
                until_event(self.gateway, order_id, "operation.retry_scheduled").await;
            }
            Done | PartialCanceled | Canceled => until_event(self.gateway, order_id, "payment.done").await,
        }
        if standing == PartialCanceled {
            let _ = shop.cancel_part(&key, 4_000).prefer("wait=30").await.expecting(200);
        } else if standing == Canceled {
            let _ = shop.cancel(&key).prefer("wait=30").await.expecting(200);
        }
        let charges = bank.money(order_id).await.charges;
        first.release().await;
        let after_all = async || (bank.money(order_id).await.charges == charges + 1).then_some(());
        eventually("it is charged after all", PATIENCE, after_all).await;
        self.thawed.wait().await;

        until_event(self.gateway, order_id, "payment.late_approval").await;
        if standing != InProgress {
            until_event(self.gateway, order_id, "payment.reversed").await;
        }
        payment.order_id
    }

    /// The bank opens a second account, and it is paid into while it is being closed.
    async fn opened_after_all(&self, part: bool) {
        let (shop, bank) = (&self.gateway.shop, &self.gateway.bank);
        let order_id = &Payment::of(1).order_id;
        let first = bank.hold(order_id, "issue", "before").await;
        let asked = shop.virtual_account(order_id, 15_000, json!({ "refundReceiveAccount": payee() }));
        let asked = asked.prefer("respond-async").await.expecting(202);
        first.reached().await;
        self.frozen.wait().await;

        until_event(self.gateway, order_id, "payment.waiting_for_deposit").await;
        let [kept] = open_accounts(self.gateway, order_id).await.try_into().expect("one is open");
        let _ = bank.deposit_into(&kept, json!({})).await;
        until_event(self.gateway, order_id, "payment.done").await;
        if part {
            let _ = shop.cancel_part(asked.payment_key(), 4_000).prefer("wait=30").await.expecting(200);
        }
        first.release().await;
        let both = async || {
            let open = open_accounts(self.gateway, order_id).await;
            open.into_iter().find(|reference| *reference != kept)
        };
        let second = eventually("another one is opened after all", PATIENCE, both).await;
        let closing = bank.hold(order_id, "close", "before").await;
        self.thawed.wait().await;

        closing.reached().await;
        let _ = bank.deposit_into(&second, json!({})).await;
        until_event(self.gateway, order_id, "deposit.not_taken").await;
        closing.release().await;
        until_event(self.gateway, order_id, "account.not_closed").await;
        until_event(self.gateway, order_id, "deposit.returned").await;
        until_event(self.gateway, order_id, "account.closed").await;
        assert_eq!(open_accounts(self.gateway, order_id).await, [kept]);
    }

    /// Freezes the worker when all have asked, and thaws it when all were done after all.
    async fn zombie(&self) {
        let [zombie, other] = &self.gateway.workers[..] else { panic!("there are two workers") };
        let proxy = self.gateway.proxy(Link::Amqp);
        self.frozen.wait().await;
        zombie.freeze();
        // Else it would be handed every second hint.
        proxy.refuse();
        other.start_again().await;
        self.thawed.wait().await;
        proxy.heal();
        zombie.thaw();
    }
}

/// Everything above, of a card company and banks that do what they are asked each time they are asked. Returns the gateway.
pub(super) async fn told() -> Gateway {
    let gateway = Gateway::with().workers(2).naive_bank().proxied(Link::Amqp, Who::Worker(0)).start().await;
    // One worker asks for all of it.
    gateway.workers[1].kill9();
    let payments = [Aborted, InProgress, Done, PartialCanceled, Canceled];
    let accounts = [false, true];
    let all = payments.len() + accounts.len() + 1;
    let stage = Stage { gateway: &gateway, frozen: Barrier::new(all), thawed: Barrier::new(all) };
    let (orders, _, ()) = tokio::join!(
        join_all(payments.map(|standing| stage.approved_after_all(standing))),
        join_all(accounts.map(|part| stage.opened_after_all(part))),
        stage.zombie(),
    );
    // What is in progress is approved at last, and only then is it its reversal's turn.
    gateway.bank.clear_scripts().await;
    for (standing, order_id) in payments.into_iter().zip(&orders) {
        until_event(&gateway, order_id, "payment.reversed").await;
        let expected = match standing {
            Aborted | Canceled => 0,
            InProgress | Done => 12_000,
            PartialCanceled => 8_000,
        };
        assert_eq!(gateway.bank.money(order_id).await.net, expected, "{standing:?}");
    }
    gateway
}
