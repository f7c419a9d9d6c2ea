//! Dashboards, alerts and the runbook name metrics that are counted, and each alert has its page.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::compose::{read, root, text, yaml};

/// What RabbitMQ 3.10 to 4.x shows at `/metrics/per-object`, as far as it is used.
const RABBITMQ: [&str; 7] = [
    "rabbitmq_queue_messages_ready",
    "rabbitmq_global_messages_dead_lettered_expired_total",
    "rabbitmq_global_messages_dead_lettered_rejected_total",
    "rabbitmq_global_messages_dead_lettered_delivery_limit_total",
    "rabbitmq_global_messages_dead_lettered_confirmed_total",
    "rabbitmq_alarms_memory_used_watermark",
    "rabbitmq_alarms_free_disk_space_watermark",
];

/// Every metric the programs count. What only a test counts is none.
fn counted() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["api/src", "shared/src", "worker/src"] {
        visit(&root().join(folder), &mut found);
    }
    found
}

fn visit(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap();
            for kind in ["counter!(", "gauge!(", "histogram!("] {
                let names = source
                    .split(kind)
                    .skip(1)
                    .filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next());
                found.extend(names.map(str::to_owned));
            }
        }
    }
}

/// The words of a text that begin with `prefix`, as metrics are written.
fn words<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(move |word| word.starts_with(prefix))
}

fn assert_counted(place: &str, text: &str) {
    let counted = counted();
    for word in words(text, "naru_") {
        // Log targets are named like crates.
        let is_program = ["naru_api", "naru_worker", "naru_shared", "naru_simulator"].contains(&word);
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|part| word.strip_suffix(part)).unwrap_or(word);
        assert!(
            is_program || counted.contains(word) || counted.contains(stem),
            "{place} names {word}, which nobody counts"
        );
    }
    for word in words(text, "rabbitmq_").filter(|word| !word.contains("management")) {
        assert!(RABBITMQ.contains(&word), "{place} names {word}");
    }
}

fn alerts() -> Vec<(String, String)> {
    let file = yaml("deploy/prometheus/alerts.yml");
    let groups = file["groups"].as_sequence().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_sequence().unwrap());
    rules
        .map(|rule| {
            let name = text(&rule["alert"]);
            let severity = text(&rule["labels"]["severity"]);
            assert!(severity == "page" || severity == "ticket", "{name}");
            assert!(!text(&rule["annotations"]["summary"]).is_empty(), "{name}");
            (name, text(&rule["expr"]))
        })
        .collect()
}

#[test]
fn alerts_are_about_what_is_counted() {
    for (name, expression) in alerts() {
        assert_counted(&name, &expression);
        let balanced = expression.matches('(').count() == expression.matches(')').count();
        assert!(balanced, "{name}: {expression}");
    }
}

#[test]
fn every_alert_has_its_page_and_every_page_its_alert() {
    let runbook = read("docs/operations.md");
    let pages: BTreeSet<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("### ")).map(|title| title.trim().to_owned()).collect();
    let names: BTreeSet<String> = alerts().into_iter().map(|(name, _)| name).collect();
    assert_eq!(pages, names);
}

#[test]
fn the_dashboard_shows_what_is_counted() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/naru.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap() {
            assert_counted(title, target["expr"].as_str().unwrap());
        }
    }
}

#[test]
fn documents_name_what_is_counted_and_files_that_exist() {
    for document in ["docs/operations.md", "deploy/README.md"] {
        let content = read(document);
        assert_counted(document, &content);
        for path in content.split('`').skip(1).step_by(2).filter(|word| is_path(word)) {
            assert!(root().join(path).exists(), "{document} names {path}");
        }
    }
}

/// Whether a word in backticks is a path of this repository.
fn is_path(word: &str) -> bool {
    let first = word.split('/').next().unwrap();
    !word.contains([' ', '*', '{', '<'])
        && word.contains('/')
        && ["deploy", "docs", "rabbitmq", "shared", "worker", "api", "migrations"].contains(&first)
}
