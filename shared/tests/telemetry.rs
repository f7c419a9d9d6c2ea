//! Telemetry belongs to a whole process, so it is started once, here.

use naru_shared::config::{Concern, Telemetry as Settings};
use naru_shared::telemetry::{Telemetry, TraceContext};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telemetry_starts_once_counts_and_passes_the_trace_on() {
    // Nobody listens there: a program must not mind.
    let lookup = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "http://127.0.0.1:1".to_owned());
    let settings = Settings::from_env(&lookup).unwrap();
    let telemetry = Telemetry::start(&settings, "naru-test").unwrap();
    assert!(Telemetry::start(&settings, "naru-test").is_err());

    metrics::counter!("naru_test_total").increment(1);
    assert!(telemetry.metrics.render().contains("naru_test_total 1"));

    let caller = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
    let span = tracing::info_span!("request", trace_id = tracing::field::Empty);
    caller.attach(&span);
    let random = naru_shared::system::System;
    let next = caller.outgoing(&span, &random);
    assert_eq!(next.trace_id, caller.trace_id);
    assert_eq!(next, caller.outgoing(&span, &random), "the exported span is the parent of what we call");
    drop(span);

    telemetry.shutdown().await;
}
