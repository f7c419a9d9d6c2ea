//! The floor: what any payment system on these servers must at least do, and nothing else.
//!
//! Per payment: the card company gives a token, one commit accepts (payment, event, operation), one message goes to a quorum
//! queue and is confirmed, one commit claims (operation, attempt), the card company approves, one commit records (operation,
//! attempt, payment, event), one notice goes through Redis, the message is acknowledged. Same tables, constraints and
//! indexes as Naru's; no HTTP ingress, no authentication, no checks, no decisions, no events stream.
//!
//! Two forms bracket what is possible. [`Form::Base`] does each step for each payment by itself. [`Form::Batched`] lets
//! batches form of whatever waits: it is what the servers can do at best.

mod acquirer;
mod base;
mod batched;
mod books;
mod queue;
mod wakes;

use std::time::Instant;

use naru_servers::Failure;
use naru_shared::clock::Ids as _;
use naru_shared::system::System;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::Outcome;
use crate::http::client;
use crate::measure::Made;
use crate::stack::Addresses;
use acquirer::Acquirer;
use books::Books;
use queue::Publisher;
use wakes::{Waiting, Wakes};

/// How the steps are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One commit, one confirm, one acknowledgement each.
    Base,
    /// Whatever waits is done together.
    Batched,
}

/// A floor that runs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Floor {
    parts: Parts,
    door: Door,
}

/// What every step of either form uses.
#[derive(Clone)]
struct Parts {
    books: Books,
    acquirer: Acquirer,
    wakes: Wakes,
    publisher: Publisher,
}

/// How a payment is accepted.
#[derive(Clone)]
enum Door {
    Base,
    Batched(mpsc::Sender<batched::Accepting>),
}

/// A payment as it is accepted.
struct Order {
    payment: Uuid,
    operation: Uuid,
    order_id: String,
    token: String,
}

impl Floor {
    /// Starts a floor of this form beside the others.
    pub(crate) async fn start(form: Form, addresses: &Addresses) -> Outcome<Self> {
        let queue = match form {
            Form::Base => "floor.base",
            Form::Batched => "floor.batched",
        };
        let (publisher, deliveries) = queue::open(&addresses.amqp, queue).await?;
        let parts = Parts {
            books: Books::open(&addresses.floor).await?,
            acquirer: Acquirer::new(client()?, &addresses.simulator),
            wakes: Wakes::start(&addresses.redis, queue).await?,
            publisher,
        };
        let door = match form {
            Form::Base => {
                base::start(parts.clone(), deliveries);
                Door::Base
            }
            Form::Batched => Door::Batched(batched::start(&parts, deliveries)),
        };
        Ok(Self { parts, door })
    }

    /// Makes one payment, from the card's registration to the notice that it is paid.
    pub(crate) async fn pay(&self) -> Outcome<Made> {
        let token = self.parts.acquirer.register().await?;
        let order = Order { payment: System.ordered(), operation: System.ordered(), order_id: order_id(), token };
        let waiting: Waiting = self.parts.wakes.watch(order.payment);
        match &self.door {
            Door::Base => base::accept(&self.parts, order).await?,
            Door::Batched(door) => batched::accept(door, order).await?,
        }
        let accepted = Instant::now();
        Ok(Made { accepted, heard: waiting.heard().await? })
    }

    /// Refreshes the planner's statistics, once there is something to be counted.
    pub(crate) async fn analyze(&self) -> Outcome {
        self.parts.books.analyze().await
    }
}

fn order_id() -> String {
    format!("bench-{}", System.ordered().simple())
}

/// Shows what broke a task that nobody waits for; the payments it leaves behind time out and end the run.
fn complain(what: &Failure) {
    eprintln!("floor: {what}");
}
