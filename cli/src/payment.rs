//! `naru payment`: everything that was done about one payment.

use clap::Args;
use reqwest::header;
use serde_json::Value;

use crate::http::{client, json as ask};
use crate::table::{line, say};
use crate::{Outcome, needed};

/// Shows a payment with its operations, every attempt, and its timeline.
#[derive(Args)]
pub(crate) struct Payment {
    /// Its `paymentKey`, or its own or an operation's id as logs have them.
    #[arg(value_name = "KEY")]
    key: String,
    /// As the operators' API answers it.
    #[arg(long)]
    json: bool,
}

impl Payment {
    pub(crate) async fn run(self) -> Outcome {
        let (http, ops) = (client()?, needed("NARU_OPS_URL")?);
        let bearer = format!("Bearer {}", needed("NARU_OPS_TOKEN")?);
        let url = format!("{ops}/ops/v1/payments/{}", self.key);
        let shown = ask(http.get(url).header(header::AUTHORIZATION, bearer)).await?;
        if self.json { say(&serde_json::to_string_pretty(&shown)?) } else { say(&told(&shown)) }
    }
}

/// As text: the payment, each operation with its attempts, then what happened, a version a line.
fn told(shown: &Value) -> String {
    let payment = line(&shown["payment"], &["paymentKey", "mId", "orderId", "totalAmount", "status", "moneyState"]);
    let mut lines = vec![payment];
    for operation in each(&shown["operations"]) {
        let columns = ["kind", "status", "amount", "attemptCount", "inquiryCount", "dueAt", "deadlineAt", "id"];
        lines.push(format!("  {}", line(operation, &columns)));
        for attempt in each(&operation["attempts"]) {
            let columns = ["sentAt", "call", "reference", "answer", "code", "latencyMs", "resolution"];
            lines.push(format!("    {}", line(attempt, &columns)));
        }
    }
    for event in each(&shown["timeline"]) {
        lines.push(format!("  {}", line(event, &["version", "at", "type", "status", "moneyState", "traceId"])));
    }
    lines.join("\n")
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
