//! What the broker module promises, against a real RabbitMQ that is killed, frozen, emptied and contradicted.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expected")]

mod consuming;
mod house;
mod ladder;
mod publishing;
mod topology;
mod trouble;
