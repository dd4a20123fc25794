//! Sends traces and metrics to an OpenTelemetry collector, by OTLP over HTTP with protobuf bodies.
//!
//! Nothing here runs unless an endpoint is configured. A collector that is away must never hold up work: what cannot
//! be sent is dropped and told once. Spans and metrics hold what log lines hold, and no more.
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

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
use crate::settings::{Environment, Problems, Reader};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TIMEOUT: Duration = Duration::from_secs(10);
/// An answer to an export is a few bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Seconds; from an unchanged ETag to a directory that was down over night.
const BUCKETS: [f64; 14] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0];

/// Where telemetry is sent, and who sends it.
#[derive(Debug, Clone)]
pub struct Otlp {
    endpoint: Url,
    service: &'static str,
    version: &'static str,
}

impl Otlp {
    /// As configured by `OTEL_EXPORTER_OTLP_ENDPOINT`; none if that is not set. A collector in the same network is often
    /// reached by plain http, and nothing that is sent is secret, so that is accepted here.
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

    /// The URL of a signal, below whatever path the endpoint has.
    fn url(&self, signal: &str) -> String {
        format!("{}/v1/{signal}", self.endpoint.as_str().trim_end_matches('/'))
    }
}

/// The exporters cannot be made, such as with an `OTEL_EXPORTER_OTLP_HEADERS` that is none.
#[derive(Debug, thiserror::Error)]
#[error("telemetry cannot be exported: {0}")]
pub struct OtlpError(#[from] ExporterBuildError);

/// What is being exported.
#[derive(Debug, Default)]
#[must_use = "what was not sent yet is lost unless this is finished"]
pub struct Exporting(Option<(SdkTracerProvider, SdkMeterProvider)>);

impl Exporting {
    /// Sends what is left, for some seconds at most.
    pub async fn finish(self) {
        let Some((tracers, meters)) = self.0 else { return };
        // They block until the exporters are done, and these need the runtime. What failed was told already.
        let finished = tokio::task::spawn_blocking(move || (tracers.shutdown(), meters.shutdown()));
        let _ = finished.await;
    }
}

/// The layers that export, none without a configuration.
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

/// Our spans with what was logged in them; no detail of crates that do not know what must not leave.
fn is_traced(what: &Metadata<'_>) -> bool {
    let limit = if what.is_span() { Level::DEBUG } else { Level::INFO };
    is_ours(what) && what.target() != metrics::TARGET && *what.level() <= limit
}

/// Units, which the events cannot carry, and steps that fit seconds.
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

/// The exporters run on threads of their own; this brings their requests to the runtime and to our HTTP client.
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
        let mut answer = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err("the collector's answer does not end".into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response::builder().status(status).body(Bytes::from(body))?)
    }

    /// Tells once that the collector does not take what is sent, and once that it does again.
    fn note(&self, result: &Result<Response<Bytes>, HttpError>) {
        let problem = match result {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status())),
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
