//! Counting, and showing the counts to Prometheus.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the histogram buckets of everything measured in seconds: 1 ms to 60 s.
const SECONDS: [f64; 15] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Upper bounds of the histogram buckets of everything counted in pieces, such as the size of a batch.
const PIECES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// What has been counted so far.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Makes the macros of the `metrics` crate count here, for the whole process. Names end in their unit: histograms
    /// in `_seconds` or `_count`, counters in `_total`.
    ///
    /// # Errors
    /// When a recorder was already installed.
    pub fn install() -> Result<Self, BuildError> {
        builder()?.install_recorder().map(Self)
    }

    /// The counts as Prometheus reads them (text format 0.0.4).
    #[must_use]
    pub fn render(&self) -> String {
        // Moves finished samples into their buckets, which nobody else does for us.
        self.0.run_upkeep();
        self.0.render()
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_count".into()), &PIECES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_shown() {
        let recorder = builder().unwrap().build_recorder();
        let metrics = Metrics(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("naru_payments_total", "status" => "DONE").increment(2);
            metrics::histogram!("naru_approve_seconds").record(0.03);
        });
        let text = metrics.render();
        assert!(text.contains(r#"naru_payments_total{status="DONE"} 2"#), "{text}");
        assert!(text.contains(r#"naru_approve_seconds_bucket{le="0.05"} 1"#), "{text}");
    }
}
