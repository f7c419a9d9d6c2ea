//! Sending traces to a collector over OTLP/HTTP.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::Handle;
use url::Url;

use super::mask::mask;

/// How long the collector has for one batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Traces on their way out; [shut down](Export::shutdown) before the program ends.
#[derive(Debug, Clone)]
pub(super) struct Export(SdkTracerProvider);

impl Export {
    /// Sends the traces of `service` to the collector at `endpoint` (its base URL).
    pub(super) fn start(endpoint: &Url, service: &'static str) -> Result<Self, opentelemetry_otlp::ExporterBuildError> {
        let traces = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
        let otlp = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(traces)
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder_empty().with_service_name(service).build())
            .with_batch_exporter(OnRuntime { exporter: Arc::new(otlp), runtime: Handle::current() })
            .build();
        Ok(Self(provider))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.0.tracer("naru")
    }

    /// Sends what is left. Blocks up to twice [`EXPORT_TIMEOUT`]: call it where blocking is allowed.
    pub(super) fn shutdown(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(EXPORT_TIMEOUT * 2) {
            tracing::warn!(%error, "the last traces were not exported");
        }
    }
}

/// Runs an exporter on our runtime, where its HTTP client lives: the SDK calls it from a thread of its own. Masks what
/// it sends as log lines are masked.
#[derive(Debug)]
struct OnRuntime<E> {
    exporter: Arc<E>,
    runtime: Handle,
}

impl<E: SpanExporter + 'static> SpanExporter for OnRuntime<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            mask_attributes(&mut span.attributes);
            for event in &mut span.events.events {
                mask_attributes(&mut event.attributes);
                event.name = mask(&event.name).into_owned().into();
            }
        }
        let exporter = Arc::clone(&self.exporter);
        self.runtime
            .spawn(async move { exporter.export(batch).await })
            .await
            .map_err(|error| OTelSdkError::InternalFailure(error.to_string()))?
    }

    fn set_resource(&mut self, resource: &Resource) {
        // The processor sets the resource before anybody else holds the exporter.
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}

fn mask_attributes(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        if let Value::String(text) = &attribute.value {
            attribute.value = Value::String(StringValue::from(mask(text.as_str()).into_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Span, Tracer};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_last_span_reaches_the_collector_before_shutdown_ends_and_is_masked() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let collector = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 16 * 1024];
            let mut length = 0;
            while !request[..length].windows(7).any(|part| part == b"checked") {
                length += socket.read(&mut request[length..]).await.unwrap();
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            socket.write_all(answer).await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });

        let export = Export::start(&endpoint.parse().unwrap(), "naru-test").unwrap();
        let mut span = export.tracer().start("pay");
        span.set_attribute(KeyValue::new("a", "4242 4242 4242 4242 checked"));
        span.end();
        tokio::task::spawn_blocking(move || export.shutdown()).await.unwrap();

        let request = collector.await.unwrap();
        assert!(request.starts_with("POST /v1/traces HTTP/1.1"), "{request}");
        assert!(request.contains("424242******4242 checked") && request.contains("naru-test"));
    }
}
