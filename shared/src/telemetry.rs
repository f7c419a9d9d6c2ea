//! What a program says about itself: logs, traces, metrics and health.

mod export;
mod internal;
mod mask;
mod metrics;
mod readiness;
mod trace;
mod writer;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

pub use internal::{health_routes, internal_routes};
pub use mask::mask;
pub use metrics::Metrics;
pub use readiness::{Dependency, DependencyReport, Need, Readiness, Report};
pub use trace::TraceContext;
pub use writer::Masking;

use crate::config::{LogFormat, Telemetry as Settings};
use export::Export;

/// Logs, traces and metrics of this process, running. Call [`Telemetry::shutdown`] last.
#[derive(Clone)]
pub struct Telemetry {
    /// The counts, for the internal listener.
    pub metrics: Metrics,
    export: Option<Export>,
}

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Another subscriber or recorder is already there.
    #[error("telemetry was started twice")]
    StartedTwice,
    /// The filter is not in `tracing`'s language.
    #[error("NARU_LOG is not a list of tracing directives")]
    Filter,
    /// The trace exporter refused its settings.
    #[error("traces can't be exported: {0}")]
    Export(#[from] opentelemetry_otlp::ExporterBuildError),
}

impl Telemetry {
    /// Starts logs on standard error, traces when an endpoint is set, and metrics; panics are logged like any other
    /// error, and masked like any other line. Must run inside the Tokio runtime.
    ///
    /// # Errors
    /// When it was already started, or the settings are of no use.
    pub fn start(settings: &Settings, service: &'static str) -> Result<Self, TelemetryError> {
        // TLS (OTLP over https, Postgres, AMQP, Redis) uses one provider; a second installation is harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();

        // A connection that is lost is an error to lapin, and an everyday thing to us, told by us. A filter may ask for it.
        let filter =
            EnvFilter::builder().parse(format!("lapin=off,{}", settings.filter)).map_err(|_| TelemetryError::Filter)?;
        let endpoint = settings.otlp_endpoint.as_ref();
        let export = endpoint.map(|url| Export::start(url, service)).transpose()?;
        let traces = export.as_ref().map(|export| tracing_opentelemetry::layer().with_tracer(export.tracer()));
        tracing_subscriber::registry()
            .with(filter)
            .with(traces)
            .with(lines(settings.format))
            .try_init()
            .map_err(|_| TelemetryError::StartedTwice)?;
        let metrics = Metrics::install().map_err(|_| TelemetryError::StartedTwice)?;
        log_panics();
        Ok(Self { metrics, export })
    }

    /// Sends the traces that are still here; at most 10 s.
    pub async fn shutdown(self) {
        if let Some(export) = self.export {
            // The SDK waits by blocking its caller.
            let _ = tokio::task::spawn_blocking(move || export.shutdown()).await;
        }
    }
}

/// Log lines on standard error, masked.
fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = fmt::layer().with_writer(Masking(std::io::stderr));
    match format {
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
        LogFormat::Text => layer.with_ansi(false).boxed(),
    }
}

/// A panic becomes one log line, instead of text that nobody masks.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("(no message)");
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, "panic: {message}");
    }));
}
