//! The topology on a broker is the one in the file, or the program does not start.

use lapin::{
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};
use naru_shared::broker::{Argument, Broker, BrokerConfig, DeclareError, StartError, Topology};

use crate::house::{House, raw};

#[tokio::test]
async fn what_the_broker_has_is_what_the_file_says() {
    let house = House::enter().await;
    let queues: serde_json::Value = serde_json::from_str(&house.manage("GET", "/api/queues/naru", "").await).unwrap();
    let topology = Topology::embedded();
    assert_eq!(queues.as_array().unwrap().len(), topology.queues.len());
    for queue in queues.as_array().unwrap() {
        let name = queue["name"].as_str().unwrap();
        let expected = topology.queue(name).unwrap();
        let effective = queue["arguments"].as_object().unwrap();
        assert_eq!(effective.len(), expected.arguments.len(), "{name}");
        for (argument, value) in &expected.arguments {
            match value {
                Argument::Number(number) => {
                    assert_eq!(effective[argument].as_i64(), Some(*number), "{name} {argument}")
                }
                Argument::Text(text) => {
                    assert_eq!(effective[argument].as_str(), Some(text.as_str()), "{name} {argument}")
                }
            }
        }
    }
}

#[tokio::test]
async fn declaring_again_changes_nothing_and_is_no_error() {
    let house = House::enter().await;
    Broker::declare(&house.config()).await.unwrap();
    Broker::declare(&house.config()).await.unwrap();
}

#[tokio::test]
async fn a_broker_that_imported_the_file_suits_the_programs() {
    let house = House::enter().await;
    let config = house.new_vhost("imported").await;
    let definitions = include_str!("../../../rabbitmq/definitions.json");
    house.manage("POST", "/api/definitions/imported", definitions).await;
    Broker::declare(&config).await.unwrap();
}

#[tokio::test]
async fn another_argument_stops_the_start_and_is_named() {
    let house = House::enter().await;
    let config = house.new_vhost("contradicted").await;
    let mut arguments = FieldTable::default();
    for (name, value) in &Topology::embedded().queue("naru.wait.1s").unwrap().arguments {
        let value = match value {
            Argument::Number(number) => AMQPValue::LongLongInt(number * 2),
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
        };
        arguments.insert(name.as_str().into(), value);
    }
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(20));
    let channel = raw(&config.url).await;
    channel.queue_declare("naru.wait.1s".into(), QueueDeclareOptions::durable(), arguments).await.unwrap();

    let error = Broker::declare(&config).await.unwrap_err();
    let StartError::Declare(DeclareError::Mismatch { kind, name, argument, .. }) = &error else {
        panic!("{error}");
    };
    assert_eq!((*kind, name.as_str(), argument.as_str()), ("queue", "naru.wait.1s", "x-message-ttl"));
    let text = error.to_string();
    assert!(text.contains("'2000'") && text.contains("'1000'"), "both values are named: {text}");
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_no_reason_to_stop() {
    let nobody = BrokerConfig { url: "amqp://u:p@127.0.0.1:1/x".to_owned(), name: "story".to_owned() };
    let error = Broker::declare(&nobody).await.unwrap_err();
    assert!(matches!(error, StartError::Declare(DeclareError::Unreachable(_))), "{error}");
    let nonsense = BrokerConfig { url: "http://x".to_owned(), name: "story".to_owned() };
    assert!(matches!(Broker::declare(&nonsense).await, Err(StartError::Url(_))));
}
