//! Exports traces and metrics to an OpenTelemetry collector, by OTLP over HTTP with protobuf bodies.
//!
//! Nothing here runs unless an endpoint is configured. An unavailable collector must never delay work: telemetry that
//! cannot be sent is dropped, and the failure is logged once. Spans and metrics contain no more than log lines do.
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, InstrumentKind, SdkMeterProvider, Stream};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata};
use tracing_opentelemetry::MetricsLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use url::Url;

use super::layer::{BoxedLayer, is_ours};
use super::metrics;
use crate::settings::{Environment, Problems, Reader, without_key};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TIMEOUT: Duration = Duration::from_secs(10);
/// The response to an export is a few bytes long.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// In seconds; from an unchanged ETag to a directory that was down overnight.
const BUCKETS: [f64; 14] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0];

/// The collector's endpoint, and the service that sends to it.
#[derive(Clone)]
pub struct Otlp {
    endpoint: Url,
    service: &'static str,
    version: &'static str,
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Otlp").field("endpoint", &without_key(&self.endpoint)).finish_non_exhaustive()
    }
}

impl Otlp {
    /// Reads `OTEL_EXPORTER_OTLP_ENDPOINT`; `None` if it is not set. Plain http is accepted: collectors in the same
    /// network often use it, and nothing that is sent is secret.
    pub fn read(
        environment: &Environment,
        service: &'static str,
        version: &'static str,
    ) -> Result<Option<Self>, Problems> {
        let mut reader = Reader::new(environment);
        let endpoint: Option<Url> = reader.optional(ENDPOINT);
        if endpoint.as_ref().is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
            reader.problem(&format!("{ENDPOINT} must begin with http:// or https://"));
        }
        reader.finish(|| Some(endpoint.map(|endpoint| Self { endpoint, service, version })))
    }

    /// The URL of a signal, below the endpoint's path.
    fn url(&self, signal: &str) -> String {
        format!("{}/v1/{signal}", self.endpoint.as_str().trim_end_matches('/'))
    }
}

/// The exporters cannot be created, for example because `OTEL_EXPORTER_OTLP_HEADERS` is invalid.
#[derive(Debug, thiserror::Error)]
#[error("telemetry cannot be exported: {0}")]
pub struct OtlpError(#[from] ExporterBuildError);

/// The running exporters.
#[derive(Debug, Default)]
#[must_use = "buffered telemetry is lost unless this is finished"]
pub struct Exporting(Option<(SdkTracerProvider, SdkMeterProvider)>);

impl Exporting {
    /// Sends the buffered telemetry, for a few seconds at most.
    pub async fn finish(self) {
        let Some((tracers, meters)) = self.0 else { return };
        // Shutting down blocks until the exporters are done, and they need the runtime. Failures are already logged.
        let finished = tokio::task::spawn_blocking(move || (tracers.shutdown(), meters.shutdown()));
        let _ = finished.await;
    }
}

/// The exporting layers; none without a configuration.
pub(super) fn start(otlp: Option<Otlp>) -> Result<(Vec<BoxedLayer>, Exporting), OtlpError> {
    let Some(otlp) = otlp else { return Ok((Vec::new(), Exporting::default())) };
    let client = Client::new();
    let spans = SpanExporter::builder().with_http().with_http_client(client.clone());
    let spans = spans.with_protocol(Protocol::HttpBinary).with_endpoint(otlp.url("traces")).build()?;
    let measures = MetricExporter::builder().with_http().with_http_client(client);
    let measures = measures.with_protocol(Protocol::HttpBinary).with_endpoint(otlp.url("metrics")).build()?;
    let resource = Resource::builder()
        .with_service_name(otlp.service)
        .with_attribute(KeyValue::new("service.version", otlp.version))
        .build();
    let tracers = SdkTracerProvider::builder().with_resource(resource.clone()).with_batch_exporter(spans).build();
    let meters = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_periodic_exporter(measures)
        .with_view(with_unit)
        .build();
    let traced = tracing_opentelemetry::layer()
        .with_tracer(tracers.tracer("photorelay"))
        .with_location(false)
        .with_threads(false)
        .with_filter(filter_fn(is_traced));
    let layers = vec![traced.boxed(), MetricsLayer::new(meters.clone()).boxed()];
    Ok((layers, Exporting(Some((tracers, meters)))))
}

/// Whether a span or event is exported: only photorelay's own, because other crates may record sensitive details.
fn is_traced(what: &Metadata<'_>) -> bool {
    let limit = if what.is_span() { Level::DEBUG } else { Level::INFO };
    is_ours(what) && what.target() != metrics::TARGET && *what.level() <= limit
}

/// Adds units, which the events cannot carry, and histogram buckets for seconds.
fn with_unit(instrument: &Instrument) -> Option<Stream> {
    let stream = match instrument.kind() {
        InstrumentKind::Histogram => {
            Stream::builder().with_unit("s").with_aggregation(Aggregation::ExplicitBucketHistogram {
                boundaries: BUCKETS.to_vec(),
                record_min_max: true,
            })
        }
        _ => Stream::builder().with_unit(match instrument.name() {
            "photorelay.hints" => "{hint}",
            "photorelay.looks" => "{look}",
            "photorelay.commits" => "{entry}",
            "photorelay.writebacks" => "{writeback}",
            "photorelay.announcements" | "photorelay.buried" => "{message}",
            "photorelay.graph.requests" | "photorelay.graph.throttles" => "{request}",
            _ => return None,
        }),
    };
    stream.build().ok()
}

/// Sends the requests of the exporters, which run on their own threads, on the runtime and with our HTTP client.
#[derive(Debug, Clone)]
struct Client {
    http: reqwest::Client,
    runtime: tokio::runtime::Handle,
    failing: Arc<AtomicBool>,
}

impl Client {
    fn new() -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
        let http = http.build().unwrap_or_default();
        Self { http, runtime: tokio::runtime::Handle::current(), failing: Arc::default() }
    }

    async fn send(self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let request = self.http.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
        let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err("the collector's response is too large".into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response::builder().status(status).body(Bytes::from(body))?)
    }

    /// Logs the first failure after a success, and the first success after a failure.
    fn note(&self, result: &Result<Response<Bytes>, HttpError>) {
        let problem = match result {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it returned {}", response.status())),
            Err(error) => Some(error.to_string()),
        };
        let failed_before = self.failing.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(error) if !failed_before => {
                tracing::warn!(error, "telemetry cannot be sent to the collector and is dropped until it can");
            }
            None if failed_before => tracing::info!("telemetry is sent to the collector again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let result = self.runtime.spawn(self.clone().send(request)).await.map_err(HttpError::from).flatten();
        self.note(&result);
        result
    }
}
