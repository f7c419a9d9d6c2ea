//! Work that a worker is killed at, frozen at, or cut off from Postgres at: however it went, it is done once.

use std::time::Duration;

use naru_shared::domain::id::OperationId;
use naru_testbed::{Builder, Gateway, Link, Who, eventually};

use crate::crash::LAG;

/// From when Postgres is back.
pub(crate) const RECOVERY_LIMIT: Duration = Duration::from_secs(10);
/// "Not found" is believed when the longest call is over, and somebody must come to hear it once more.
pub(crate) const BELIEVED_LIMIT: Duration = Duration::from_secs(25);

/// A piece of work that may go wrong.
pub(crate) trait Course: Copy {
    /// What it is asked of.
    type Of;

    /// The acquirer's word for it.
    fn call(self) -> &'static str;

    /// The order it is about.
    fn order(of: &Self::Of) -> &str;

    /// What it may be asked of.
    async fn prepared(self, gateway: &Gateway) -> Self::Of;

    /// Has it accepted.
    async fn accepted(self, gateway: &Gateway, of: &Self::Of) -> OperationId;

    /// Insists that it was done, and once.
    async fn was_done_once(self, gateway: &Gateway, of: &Self::Of);

    /// Waits until it is done, and insists that it was done once.
    async fn done(self, gateway: &Gateway, of: &Self::Of, operation: OperationId, patience: Duration) {
        let status = "select status from operations where id = $1";
        eventually(&format!("the {} is done", self.call()), patience, async || {
            let status = sqlx::query_scalar::<_, String>(status).bind(operation.0).fetch_one(gateway.db()).await;
            (status.expect("Postgres answers") == "succeeded").then_some(())
        })
        .await;
        self.was_done_once(gateway, of).await;
    }
}

/// The newest work on an order's payment.
pub(crate) async fn newest(gateway: &Gateway, order_id: &str) -> Option<OperationId> {
    let newest = "select o.id from operations o join payments p on p.id = o.payment_id
        where p.order_id = $1 order by o.number desc limit 1";
    let found = sqlx::query_scalar(newest).bind(order_id).fetch_optional(gateway.db()).await;
    found.expect("Postgres answers").map(OperationId)
}

/// An acquirer that acts each time it is asked.
pub(crate) fn naive() -> Builder {
    Gateway::with().naive_bank().inquiry_lag(LAG)
}

/// Kills the worker that comes to `point` first.
pub(crate) async fn killed_at(point: &str, course: impl Course, with: Builder, patience: Duration) {
    let gateway = with.workers(2).start().await;
    let of = course.prepared(&gateway).await;
    let (victim, hold, operation) = gateway.first_at(point, course.accepted(&gateway, &of)).await;
    victim.kill9();
    drop(hold);
    course.done(&gateway, &of, operation, patience).await;
    gateway.check().await;
}

/// Kills the worker while the acquirer has its request, `before` or `after` it took effect.
pub(crate) async fn killed_when_sent<C: Course>(effect: &str, course: C, with: Builder, patience: Duration) {
    let gateway = with.workers(2).start().await;
    let of = course.prepared(&gateway).await;
    let held = gateway.bank.hold(C::order(&of), course.call(), effect).await;
    let operation = course.accepted(&gateway, &of).await;
    held.reached().await;
    gateway.owner_of(operation).await.kill9();
    held.release().await;
    course.done(&gateway, &of, operation, patience).await;
    gateway.check().await;
}

/// One test for each boundary and way to go.
macro_rules! killed {
    ([$($name:ident: $how:ident $place:literal;)*] $ways:tt) => {
        $($crate::courses::killed_ways!($name $how $place $ways);)*
    };
}

macro_rules! killed_ways {
    ($name:ident $how:ident $place:literal {$($way:ident: $course:expr, $with:expr, $patience:expr;)*}) => {
        mod $name {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $way() {
                    crate::courses::$how($place, $course, $with, $patience).await;
                }
            )*
        }
    };
}

/// The same for a list of boundaries that all of these go through.
macro_rules! killed_everywhere {
    ($ways:tt) => {
        $crate::courses::killed! {
            [
                claimed: killed_at "claimed";
                sent_and_not_yet_done: killed_when_sent "before";
                sent_and_done: killed_when_sent "after";
                heard: killed_at "heard";
                answered: killed_at "answered";
                recorded: killed_at "recorded";
                published: killed_at "published";
            ]
            $ways
        }
    };
}

/// Where a worker is stopped while Postgres is cut from it.
#[derive(Clone, Copy)]
pub(crate) enum Boundary {
    Point(&'static str),
    Sent(&'static str),
}

/// Cuts the only worker off, and lets it go on while it is cut off.
pub(crate) async fn cut_off<C: Course>(boundary: Boundary, course: C) {
    let gateway = Gateway::with().proxied(Link::Postgres, Who::Workers).start().await;
    let of = course.prepared(&gateway).await;
    let proxy = gateway.proxy(Link::Postgres);
    let operation = match boundary {
        Boundary::Point(point) => {
            let hold = gateway.worker().hold_at(point);
            let operation = course.accepted(&gateway, &of).await;
            hold.reached().await;
            proxy.refuse();
            hold.release();
            operation
        }
        Boundary::Sent(effect) => {
            let held = gateway.bank.hold(C::order(&of), course.call(), effect).await;
            let operation = course.accepted(&gateway, &of).await;
            held.reached().await;
            proxy.refuse();
            held.release().await;
            operation
        }
    };
    eventually("the worker notices", RECOVERY_LIMIT, async || {
        gateway.worker().log().lines().any(|line| line.contains("\"WARN\"") && line.contains("Postgres")).then_some(())
    })
    .await;
    proxy.heal();
    course.done(&gateway, &of, operation, RECOVERY_LIMIT).await;
    gateway.check().await;
}

/// One test for each boundary and course.
macro_rules! cut_at {
    ($($name:ident: $boundary:expr, $course:expr;)*) => {
        mod cut {
            use super::*;
            use crate::courses::Boundary;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    crate::courses::cut_off($boundary, $course).await;
                }
            )*
        }
    };
}

pub(crate) use {cut_at, killed, killed_everywhere, killed_ways};
