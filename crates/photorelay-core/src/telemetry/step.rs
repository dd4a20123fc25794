//! Connects a span to the trace that a message carries.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::trace::TraceContext;

/// Makes a span that was not entered yet a child of `traceparent`, or the root of a new trace, and returns the context
/// for the next message. Records the span's field `trace.id` if it has one.
pub fn step(span: &Span, traceparent: Option<&str>) -> TraceContext {
    let parent = traceparent.and_then(|text| text.parse::<TraceContext>().ok());
    if span.is_disabled() {
        return parent.map_or_else(TraceContext::start, |parent| parent.next());
    }
    if let Some(parent) = parent {
        let flags = if parent.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let (trace_id, span_id) = (TraceId::from(parent.trace_id), SpanId::from(parent.span_id));
        let remote = SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE);
        // An error means that this span is not exported; then only log lines show the trace.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(remote));
    }
    let context = span.context();
    let exported = context.span();
    let exported = exported.span_context();
    let trace = if exported.is_valid() {
        TraceContext {
            trace_id: u128::from_be_bytes(exported.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(exported.span_id().to_bytes()),
            sampled: exported.is_sampled(),
        }
    } else {
        parent.map_or_else(TraceContext::start, |parent| parent.next())
    };
    span.record("trace.id", tracing::field::display(format_args!("{:032x}", trace.trace_id)));
    trace
}
