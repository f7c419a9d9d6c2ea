//! Puts the topology on a broker, or says why that broker can't have it.

use std::{collections::BTreeMap, time::Duration};

use lapin::{
    Channel, Connection, ErrorKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::topology::{Argument, Topology};

/// A new queue takes a quorum queue's election; a whole ladder of them on a busy broker seconds.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why the topology could not be declared.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// The broker has it with other arguments. It stays as it is; a person decides (delete it when
    /// it is empty, or give the new one another name), so a program must not start.
    #[error(
        "RabbitMQ already has the {kind} `{name}` with another `{argument}` than \
         rabbitmq/definitions.json says: {detail}"
    )]
    Mismatch {
        /// `exchange` or `queue`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The argument that differs, for example `x-message-ttl`.
        argument: String,
        /// What the broker said, with both values.
        detail: String,
    },
    /// The broker refused for another reason, for example a missing permission.
    #[error("RabbitMQ refused the {kind} `{name}`: {detail}")]
    Refused {
        /// `exchange`, `queue` or `binding`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What the broker said.
        detail: String,
    },
    /// The broker could not be reached, or not in time. Not a reason to stop: Naru works without
    /// it, and declares again on every connect.
    #[error("RabbitMQ could not be reached: {0}")]
    Unreachable(String),
}

/// Declares the whole topology on its own channel, targets before sources.
pub(super) async fn declare(connection: &Connection) -> Result<(), DeclareError> {
    tokio::time::timeout(TIMEOUT, declare_all(connection, Topology::embedded()))
        .await
        .map_err(|_| DeclareError::Unreachable(format!("no answer within {TIMEOUT:?}")))?
}

async fn declare_all(connection: &Connection, topology: &Topology) -> Result<(), DeclareError> {
    let channel = connection.create_channel().await.map_err(|error| DeclareError::Unreachable(error.to_string()))?;
    for exchange in &topology.exchanges {
        declare_exchange(&channel, exchange).await?;
    }
    for queue in topology.queues_targets_first() {
        declare_queue(&channel, queue).await?;
        for binding in topology.bindings.iter().filter(|b| b.destination == queue.name) {
            bind(&channel, binding).await?;
        }
    }
    // Every answer has arrived; how the channel ends changes nothing.
    let _ = channel.close(200, "declared".into()).await;
    Ok(())
}

async fn declare_exchange(channel: &Channel, exchange: &super::topology::Exchange) -> Result<(), DeclareError> {
    use super::topology::ExchangeKind;
    let kind = match exchange.kind {
        ExchangeKind::Direct => lapin::ExchangeKind::Direct,
        ExchangeKind::Fanout => lapin::ExchangeKind::Fanout,
    };
    let options = ExchangeDeclareOptions {
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        internal: exchange.internal,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(exchange.name.as_str().into(), kind, options, table(&exchange.arguments))
        .await
        .map_err(|error| refusal("exchange", &exchange.name, &error))
}

async fn declare_queue(channel: &Channel, queue: &super::topology::Queue) -> Result<(), DeclareError> {
    let options = QueueDeclareOptions {
        durable: queue.durable,
        auto_delete: queue.auto_delete,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(queue.name.as_str().into(), options, table(&queue.arguments))
        .await
        .map(|_| ())
        .map_err(|error| refusal("queue", &queue.name, &error))
}

async fn bind(channel: &Channel, binding: &super::topology::Binding) -> Result<(), DeclareError> {
    channel
        .queue_bind(
            binding.destination.as_str().into(),
            binding.source.as_str().into(),
            binding.routing_key.as_str().into(),
            QueueBindOptions::default(),
            table(&binding.arguments),
        )
        .await
        .map_err(|error| refusal("binding", &binding.destination, &error))
}

fn table(arguments: &BTreeMap<String, Argument>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let value = match value {
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
        };
        table.insert(ShortString::from(name.as_str()), value);
    }
    table
}

fn refusal(kind: &'static str, name: &str, error: &lapin::Error) -> DeclareError {
    let ErrorKind::ProtocolError(refusal) = error.kind() else {
        return DeclareError::Unreachable(error.to_string());
    };
    let name = name.to_owned();
    let detail = refusal.get_message().to_string();
    // It is there, and the node that keeps it is not, or has not begun to: what is declared anew is never missing.
    if *refusal.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) {
        return DeclareError::Unreachable(detail);
    }
    match inequivalent_argument(&detail) {
        Some(argument) => DeclareError::Mismatch { kind, name, argument: argument.to_owned(), detail },
        None => DeclareError::Refused { kind, name, detail },
    }
}

/// The argument in `PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue …`.
fn inequivalent_argument(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("inequivalent arg '")?;
    let (argument, _) = rest.split_once('\'')?;
    Some(argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_is_read_from_what_the_broker_says() {
        let said = "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue \
                    'naru.wait.1s' in vhost '/': received '1000' but current is '2000'";
        assert_eq!(inequivalent_argument(said), Some("x-message-ttl"));
        assert_eq!(inequivalent_argument("ACCESS_REFUSED - no"), None);
        assert_eq!(inequivalent_argument("inequivalent arg 'cut"), None);
    }
}
