//! Logs, metrics and traces of the process.
//!
//! Each event is one line on the writer, as text for humans or JSON for collectors, whatever characters a value
//! contains. Traces and metrics are also exported by OTLP if an endpoint is configured; without one no exporter runs.
//!
//! The log must never contain photo bytes, tokens, `clientState`, names, UPNs or account names. Users are identified
//! only by object id. Third-party crates log only warnings, whatever the filter says, because they do not follow this
//! rule. The log goes to stdout, because the Functions host treats every line on stderr as an error.

mod layer;
pub mod metrics;
mod one_line;
mod otlp;
mod step;

pub use otlp::{Exporting, Otlp, OtlpError};
pub use step::step;

use std::fmt;
use std::str::FromStr;

use tracing::{Dispatch, Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, FilterFn, LevelFilter, ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::settings::Reader;
use layer::{BoxedLayer, is_ours};
use one_line::OneLine;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is neither `text` nor `json`")),
        }
    }
}

/// A log filter, such as `info` or `info,photorelay=debug`. Metrics are logged only if it names their target
/// `photorelay::metrics`.
#[derive(Debug, Clone)]
pub struct LogFilter(String);

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl LogFilter {
    /// Only warnings and errors.
    pub fn warnings() -> Self {
        Self("warn".to_owned())
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parsed(text).map(|_| Self(text.to_owned())).map_err(|e| e.to_string())
    }
}

/// The value of a field in a filter is plain text: a pattern would be compiled into an automaton of any size.
fn parsed(text: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().with_regex(false).parse(text)
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the process logs.
#[derive(Debug, Clone, Default)]
pub struct LogSettings {
    pub format: LogFormat,
    /// None: what suits those who read the log.
    pub filter: Option<LogFilter>,
}

impl LogSettings {
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            format: reader.optional("PHOTORELAY_LOG_FORMAT").unwrap_or_default(),
            filter: reader.optional("PHOTORELAY_LOG"),
        }
    }
}

/// Starts telemetry for the whole process, unless a subscriber is already set. With `otlp`, this must be called on a
/// tokio runtime. [`Exporting::finish`] sends what is still buffered.
pub fn init<W>(format: LogFormat, filter: &LogFilter, otlp: Option<Otlp>, writer: W) -> Result<Exporting, OtlpError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (dispatch, exporting) = dispatch(format, filter, otlp, writer)?;
    // An error only means that a subscriber is already set, as in a test process.
    let _ = tracing::dispatcher::set_global_default(dispatch);
    Ok(exporting)
}

/// Creates what [`init`] starts, for use in a part of the process.
pub fn dispatch<W>(
    format: LogFormat,
    filter: &LogFilter,
    otlp: Option<Otlp>,
    writer: W,
) -> Result<(Dispatch, Exporting), OtlpError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(OneLine(writer)).with_ansi(false);
    let lines: BoxedLayer = match format {
        LogFormat::Text => lines.with_filter(logged(filter)).boxed(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_filter(logged(filter)).boxed()
        }
    };
    let (exported, exporting) = otlp::start(otlp)?;
    let layers: Vec<BoxedLayer> = std::iter::once(lines).chain(exported).collect();
    Ok((Dispatch::new(tracing_subscriber::registry().with(layers)), exporting))
}

/// The operator's filter, limited to events that are safe to log.
fn logged(filter: &LogFilter) -> impl tracing_subscriber::layer::Filter<Registry> + use<> {
    let wanted = parsed(&format!("{}=off,{}", metrics::TARGET, filter.0));
    let wanted = wanted.unwrap_or_else(|_| EnvFilter::new("info"));
    let safe: FilterFn = filter_fn(|event: &Metadata<'_>| is_ours(event) || *event.level() <= Level::WARN);
    wanted.and(safe.with_max_level_hint(LevelFilter::TRACE))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The lines that the closure logs with this format and filter.
    fn logged(format: LogFormat, filter: &str, work: impl FnOnce()) -> Vec<String> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let (dispatch, _) = dispatch(format, &filter.parse().unwrap(), None, move || writer.clone()).unwrap();
        tracing::dispatcher::with_default(&dispatch, work);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    const HOSTILE: &str = "a\n2026-01-01T00:00:00Z ERROR forged\r\x1b[2J\u{85}\u{2028}\u{2029}\u{7f}\0end";

    fn log_hostile_values() {
        let span = tracing::info_span!("invocation", invocation.id = HOSTILE);
        let _in_span = span.enter();
        tracing::info!(text = HOSTILE, shown = %HOSTILE, debugged = ?HOSTILE, "{HOSTILE}");
    }

    #[test]
    fn no_value_makes_a_second_line_or_moves_the_cursor() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = logged(format, "info", log_hostile_values);
            assert_eq!(lines.len(), 1, "{lines:#?}");
            let strange = lines[0].chars().find(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
            assert_eq!(strange, None, "{lines:#?}");
        }
    }

    #[test]
    fn a_line_of_json_holds_the_event_and_its_spans_whole() {
        let lines = logged(LogFormat::Json, "info", log_hostile_values);
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        for member in ["timestamp", "level", "target"] {
            assert!(line[member].is_string(), "{member} is missing in {line}");
        }
        for value in [&line["text"], &line["shown"], &line["spans"][0]["invocation.id"]] {
            assert_eq!(value, HOSTILE);
        }
        assert!(line["message"].as_str().unwrap().starts_with("a\n2026"), "{line}");
    }

    fn log_of_all() {
        tracing::trace!(target: "photorelay::x", "ours");
        tracing::trace!(target: "hyper::x", "theirs");
        tracing::info!(target: "azure_core::x", "theirs");
        tracing::warn!(target: "azure_core::x", "their warning");
        metrics::announced(1);
    }

    #[test]
    fn third_party_crates_log_only_warnings_whatever_the_filter() {
        for filter in ["trace", "trace,hyper=trace,azure_core=trace"] {
            let lines = logged(LogFormat::Text, filter, log_of_all);
            assert_eq!(lines.len(), 2, "{lines:#?}");
            assert!(lines[0].ends_with("ours") && lines[1].ends_with("their warning"), "{lines:#?}");
        }
    }

    #[test]
    fn a_value_in_a_filter_is_plain_text_and_never_a_pattern() {
        // The first one is no pattern, and the second one is one that takes minutes and gigabytes to compile.
        for value in ["(".to_owned(), r"(\w|\d)*".repeat(1_000), "x*".to_owned()] {
            let lines = logged(LogFormat::Text, &format!("warn,[check{{user={value}}}]=info"), || {
                for user in [value.as_str(), "xx"] {
                    let _in_span = tracing::info_span!("check", %user).entered();
                    tracing::info!(target: "photorelay::x", "checked");
                }
            });
            assert_eq!(lines.len(), 1, "{value}: {lines:#?}");
        }
    }

    #[test]
    fn metrics_are_logged_if_their_target_is_named() {
        let lines = logged(LogFormat::Json, "warn,photorelay::metrics=info", log_of_all);
        let line: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
        assert_eq!(line["target"], metrics::TARGET);
        assert_eq!(line["monotonic_counter.photorelay.announcements"], 1);
    }
}
