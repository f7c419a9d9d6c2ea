//! What a person needs once everything runs.

use std::path::Path;

use crate::env_file::Environment;
use crate::progress::say;

const SHOWN: [(&str, &str); 17] = [
    ("API", "NARU_API_URL"),
    ("secret key", "NARU_SECRET_KEY"),
    ("client key", "NARU_CLIENT_KEY"),
    ("backoffice merchant", "NARU_STAFF_MID"),
    ("backoffice login", "NARU_STAFF_EMAIL"),
    ("its password", "NARU_STAFF_PASSWORD"),
    ("demo payer", "NARU_PAYER_EMAIL"),
    ("demo payer's password", "NARU_PAYER_PASSWORD"),
    ("operators' API", "NARU_OPS_URL"),
    ("operators' token", "NARU_OPS_TOKEN"),
    ("card simulator", "NARU_SIMULATOR_URL"),
    ("metrics of the API", "NARU_METRICS_URL_API"),
    ("metrics of the worker", "NARU_METRICS_URL_WORKER"),
    ("Postgres", "DATABASE_URL"),
    ("RabbitMQ", "AMQP_URL"),
    ("RabbitMQ's pages", "NARU_AMQP_MANAGEMENT_URL"),
    ("Redis", "REDIS_URL"),
];

pub(super) fn print(environment: &Environment, file: &Path) {
    say("");
    for (name, variable) in SHOWN {
        if let Some(value) = environment.get(variable) {
            say(&format!("  {name:<22} {value}"));
        }
    }
    say(&format!("  {:<22} {}", "all of these", file.display()));
    say(&format!("\nA payment:\n\n{}\n", curl(environment)));
    say("or, in another terminal:  cargo xtask pay\n");
}

/// A command that pays 15,000 won with a card of the sandbox, as often as it is called.
fn curl(environment: &Environment) -> String {
    let value = |name: &str| environment.get(name).unwrap_or_default();
    format!(
        r#"  curl -sS {}/v1/payments/key-in -u {}: -H 'Content-Type: application/json' -d '{{
    "amount": 15000, "orderId": "order-'$(date +%s)'", "orderName": "커피 원두 1kg",
    "cardNumber": "4242424242424242", "cardExpirationYear": "30", "cardExpirationMonth": "12",
    "customerIdentityNumber": "881212" }}'"#,
        value("NARU_API_URL"),
        value("NARU_SECRET_KEY"),
    )
}
