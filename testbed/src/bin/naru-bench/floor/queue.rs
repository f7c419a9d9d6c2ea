//! The floor's own quorum queue, bound as Naru's work queues are, and a consumer on it.

use std::sync::Arc;

use futures::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};
use naru_servers::Failure;
use uuid::Uuid;

use crate::Outcome;

/// As many as Naru's worker takes at once.
const PREFETCH: u16 = 128;
/// AMQP's number for messages that survive a restart.
const PERSISTENT: u8 = 2;

/// What arrives.
pub(super) struct Deliveries {
    consumer: Consumer,
    // A connection ends with its last handle.
    _connection: Connection,
}

impl Deliveries {
    pub(super) async fn next(&mut self) -> Option<(Uuid, Delivery)> {
        let delivery = self.consumer.next().await?.ok()?;
        Some((Uuid::from_slice(&delivery.data).ok()?, delivery))
    }
}

/// Publishes with confirms. Cheap to clone.
#[derive(Clone)]
pub(super) struct Publisher {
    channel: Channel,
    queue: &'static str,
    _connection: Arc<Connection>,
}

/// A publisher and, on a connection of its own, a consumer of the same queue.
pub(super) async fn open(url: &str, queue: &'static str) -> Outcome<(Publisher, Deliveries)> {
    let opening = async {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.into(), durable, arguments).await?;
        let publisher = Publisher { channel, queue, _connection: Arc::new(connection) };

        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let consuming = connection.create_channel().await?;
        consuming.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let consumer = consuming
            .basic_consume(queue.into(), "floor".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await?;
        Ok::<_, lapin::Error>((publisher, Deliveries { consumer, _connection: connection }))
    };
    opening.await.map_err(|cause| Failure::new("reach RabbitMQ", cause))
}

impl Publisher {
    /// Publishes the name of an operation and waits for the confirm.
    pub(super) async fn publish(&self, operation: Uuid) -> Outcome {
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let publishing = async {
            let sent =
                self.channel.basic_publish("".into(), self.queue.into(), options, operation.as_bytes(), properties);
            sent.await?.await
        };
        match publishing.await {
            Ok(Confirmation::Ack(None)) => Ok(()),
            Ok(other) => Err(Failure::new("publish", format!("{other:?}"))),
            Err(cause) => Err(Failure::new("publish", cause)),
        }
    }
}
