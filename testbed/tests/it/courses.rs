//! Work that a worker is killed at, frozen at, or cut off from Postgres at: however it went, it is done once.

use std::time::Duration;

use naru_shared::domain::id::OperationId;
use naru_testbed::{BankHold, Builder, Direction, Gateway, Hold, Link, Who, eventually};

use crate::crash::{LAG, TAKEOVER_LIMIT};

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
        until_succeeded(gateway, self.call(), operation, patience).await;
        self.was_done_once(gateway, of).await;
    }
}

/// Waits until the acquirer did it by our books.
async fn until_succeeded(gateway: &Gateway, call: &str, operation: OperationId, patience: Duration) {
    let status = "select status from operations where id = $1";
    eventually(&format!("the {call} is done"), patience, async || {
        let status = sqlx::query_scalar::<_, String>(status).bind(operation.0).fetch_one(gateway.db()).await;
        (status.expect("Postgres answers") == "succeeded").then_some(())
    })
    .await;
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
#[derive(Debug, Clone, Copy)]
pub(crate) enum Boundary {
    /// At one of its own points.
    Point(&'static str),
    /// While the acquirer has its request, `before` or `after` it took effect.
    Sent(&'static str),
}

/// What keeps the worker there.
pub(crate) enum Held {
    Worker(Hold),
    Bank(BankHold),
}

impl Held {
    pub(crate) async fn release(self) {
        match self {
            Self::Worker(hold) => hold.release(),
            Self::Bank(hold) => hold.release().await,
        }
    }
}

impl Boundary {
    /// Has it accepted and the first worker, the only one that runs, stopped here.
    async fn reached<C: Course>(self, gateway: &Gateway, course: C, of: &C::Of) -> (Held, OperationId) {
        match self {
            Self::Point(point) => {
                let hold = gateway.worker().hold_at(point);
                let operation = course.accepted(gateway, of).await;
                hold.reached().await;
                (Held::Worker(hold), operation)
            }
            Self::Sent(effect) => {
                let held = gateway.bank.hold(C::order(of), course.call(), effect).await;
                let operation = course.accepted(gateway, of).await;
                held.reached().await;
                (Held::Bank(held), operation)
            }
        }
    }
}

/// Waits until the first worker says, past so much of its log, that it waits for Postgres.
async fn until_noticed(gateway: &Gateway, past: usize) {
    eventually("the worker notices", RECOVERY_LIMIT, async || {
        let log = gateway.worker().log();
        let new = log.get(past..).unwrap_or_default();
        new.lines().any(|line| line.contains("\"WARN\"") && line.contains("Postgres")).then_some(())
    })
    .await;
}

/// Everything that cuts a worker off from Postgres at these courses: `alone` each at its boundary; and each course of `all` when the
/// answer to its commit is lost, and when another worker takes it over.
pub(crate) async fn cut_off<C: Course>(alone: &[(Boundary, C)], all: &[C]) {
    let gateway = Gateway::with().workers(2).proxied(Link::Postgres, Who::Worker(0)).start().await;
    gateway.workers[1].kill9();
    for (boundary, course) in alone {
        cut_off_alone(&gateway, *boundary, *course).await;
    }
    sqlx::raw_sql(COMMITS_WAIT).execute(gateway.db()).await.expect("Postgres answers");
    for course in all {
        not_told_of_its_commit(&gateway, *course).await;
    }
    taken_over(&gateway, all).await;
    gateway.check().await;
}

/// Cuts the only worker off, and lets it go on while it is cut off.
async fn cut_off_alone<C: Course>(gateway: &Gateway, boundary: Boundary, course: C) {
    let of = course.prepared(gateway).await;
    let proxy = gateway.proxy(Link::Postgres);
    let (held, operation) = boundary.reached(gateway, course, &of).await;
    let past = gateway.worker().log().len();
    proxy.refuse();
    held.release().await;
    until_noticed(gateway, past).await;
    proxy.heal();
    course.done(gateway, &of, operation, RECOVERY_LIMIT).await;
}

/// Has every commit that tells of a payment wait while somebody holds this lock alone.
const COMMITS_WAIT: &str = "
    create function waits() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock_shared(1); return null; end $$;
    create constraint trigger waits after insert on payment_events deferrable initially deferred
        for each row execute function waits()";

/// What the only worker says arrives, what Postgres answers does not: the commit happens, and nobody is told.
async fn not_told_of_its_commit<C: Course>(gateway: &Gateway, course: C) {
    let of = course.prepared(gateway).await;
    let proxy = gateway.proxy(Link::Postgres);
    let (held, operation) = Boundary::Point("answered").reached(gateway, course, &of).await;
    let past = gateway.worker().log().len();
    let mut lock = gateway.db().begin().await.expect("Postgres answers");
    sqlx::query("select pg_advisory_xact_lock(1)").execute(&mut *lock).await.expect("it is free");
    held.release().await;
    let waits = "select exists (select from pg_locks l join pg_database d on d.oid = l.database
        where d.datname = current_database() and l.locktype = 'advisory' and not l.granted)";
    eventually("it is about to be committed", RECOVERY_LIMIT, async || {
        let waits = sqlx::query_scalar::<_, bool>(waits).fetch_one(gateway.db()).await;
        waits.expect("Postgres answers").then_some(())
    })
    .await;
    proxy.freeze_only(Direction::ToClient);
    lock.rollback().await.expect("Postgres answers");
    until_succeeded(gateway, course.call(), operation, RECOVERY_LIMIT).await;
    proxy.refuse();
    until_noticed(gateway, past).await;
    proxy.heal();
    gateway.worker().wait_ready().await;
    course.done(gateway, &of, operation, RECOVERY_LIMIT).await;
}

/// Cuts the first worker off until the second has taken over, then lets it find Postgres again.
async fn taken_over<C: Course>(gateway: &Gateway, all: &[C]) {
    let proxy = gateway.proxy(Link::Postgres);
    let begun = all.iter().map(|course| async move {
        let of = course.prepared(gateway).await;
        let (held, operation) = Boundary::Sent("after").reached(gateway, *course, &of).await;
        (course, of, held, operation)
    });
    let begun = futures::future::join_all(begun).await;
    proxy.refuse();
    gateway.workers[1].start_again().await;
    let mut left = Vec::new();
    for (course, of, held, operation) in begun {
        held.release().await;
        left.push((course, of, operation));
    }
    for (course, of, operation) in &left {
        course.done(gateway, of, *operation, TAKEOVER_LIMIT).await;
    }
    proxy.heal();
    gateway.worker().wait_ready().await;
    // Neither does again what the other did.
    for (course, of, operation) in &left {
        course.done(gateway, of, *operation, TAKEOVER_LIMIT).await;
    }
}

/// One test for these boundaries and courses, and for what happens to `all` of the courses alike.
macro_rules! cut_at {
    (all: $all:expr; $($boundary:expr, $course:expr;)*) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn cut_off_from_postgres() {
            use crate::courses::Boundary::{Point, Sent};
            crate::courses::cut_off(&[$(($boundary, $course)),*], &$all).await;
        }
    };
}

pub(crate) use {cut_at, killed, killed_everywhere, killed_ways};
