//! `naru dead`: what the operators' API says of dead letters and stuck payments.

use clap::{Args, ValueEnum};
use reqwest::header;
use serde_json::json;

use crate::http::{client, json as ask};
use crate::table::{say, table};
use crate::{Outcome, needed};

/// Lists dead letters and stuck payments, replays a letter, or says how the work of one ended.
#[derive(Args)]
pub(crate) struct Dead {
    /// Resolved ones too, and those that are for information only.
    #[arg(long)]
    all: bool,
    /// Letters of one kind only: information, replayable, needs_person or poison.
    #[arg(long, value_name = "KIND", conflicts_with_all = ["show", "replay", "settle", "release"])]
    kind: Option<LetterKind>,
    /// Show one letter with its attempts and timeline.
    #[arg(long, value_name = "ID", conflicts_with_all = ["replay", "settle", "release"])]
    show: Option<String>,
    /// Send a letter's operation back to work. It begins with an inquiry if anything was sent. Or have the account that it is
    /// about looked at at once.
    #[arg(long, value_name = "ID", conflicts_with_all = ["settle", "release"])]
    replay: Option<String>,
    /// Book that a cancel, capture, closing or return that was given up was done; or that the cases of an account are dealt with.
    #[arg(long, value_name = "ID", conflicts_with = "release", requires_all = ["operator", "reason"])]
    settle: Option<String>,
    /// Book that a cancel or capture that was given up is not going to be done: what it reserved is free again.
    #[arg(long, value_name = "ID", requires_all = ["operator", "reason"], conflicts_with = "transaction_key")]
    release: Option<String>,
    /// Who says so, with --settle and --release.
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Why, with --settle and --release.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The transaction in which the acquirer did it, with --settle.
    #[arg(long, value_name = "KEY")]
    transaction_key: Option<String>,
}

/// What a letter asks of its reader.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum LetterKind {
    /// Nothing: it ended.
    Information,
    /// To remove the cause, then to replay it.
    Replayable,
    /// To find out with the acquirer's people.
    NeedsPerson,
    /// To find who publishes it.
    Poison,
}

impl LetterKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Replayable => "replayable",
            Self::NeedsPerson => "needs_person",
            Self::Poison => "poison",
        }
    }
}

impl Dead {
    pub(crate) async fn run(self) -> Outcome {
        let (http, ops) = (client()?, needed("NARU_OPS_URL")?);
        let bearer = format!("Bearer {}", needed("NARU_OPS_TOKEN")?);
        let get = |path: String| http.get(format!("{ops}{path}")).header(header::AUTHORIZATION, &bearer);
        if let Some(id) = self.show {
            let letter = ask(get(format!("/ops/v1/dead-letters/{id}"))).await?;
            return say(&serde_json::to_string_pretty(&letter)?);
        }
        if let Some(id) = self.replay {
            let url = format!("{ops}/ops/v1/dead-letters/{id}/replay");
            ask(http.post(url).header(header::AUTHORIZATION, &bearer)).await?;
            println!("sent back to work");
            return Ok(());
        }
        for (id, verb) in [(&self.settle, "settle"), (&self.release, "release")] {
            let Some(id) = id else { continue };
            let url = format!("{ops}/ops/v1/dead-letters/{id}/{verb}");
            let word = json!({ "operator": self.operator, "reason": self.reason,
                "transactionKey": self.transaction_key });
            let booked = ask(http.post(url).header(header::AUTHORIZATION, &bearer).json(&word)).await?;
            let member = |name: &str| booked[name].as_str().unwrap_or("-").to_owned();
            return say(&format!("{}: {} ({})", member("word"), member("status"), member("moneyState")));
        }
        let kind = self.kind.map_or_else(String::new, |kind| format!("&kind={}", kind.as_str()));
        let mut letters = ask(get(format!("/ops/v1/dead-letters?resolved={}{kind}", self.all))).await?;
        if let Some(rows) = letters["data"].as_array_mut() {
            // Money may hang on them; the rest stays in its order, the newest first.
            rows.sort_by_key(|letter| letter["kind"] != "needs_person");
        }
        let stuck = ask(get("/ops/v1/stuck".into())).await?;
        let letters = table(
            "dead letters",
            &letters,
            &["id", "kind", "reason", "operationKind", "operationStatus", "paymentKey", "diedAt"],
        );
        let stuck = table(
            "stuck payments",
            &stuck,
            &["operation", "kind", "status", "attemptCount", "inquiryCount", "paymentKey", "dueAt"],
        );
        say(&format!("{letters}\n{stuck}"))
    }
}
