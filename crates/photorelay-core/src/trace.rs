//! W3C trace context. Queue messages and audit entries carry it, because storage queues do not propagate it.
//!
//! Format: <https://www.w3.org/TR/trace-context/#traceparent-header>.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A `traceparent`: the trace that an operation belongs to, and its parent span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    pub(crate) sampled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct InvalidTraceparent;

impl TraceContext {
    /// Starts a new trace.
    pub fn start() -> Self {
        Self { trace_id: fastrand::u128(1..), span_id: fastrand::u64(1..), sampled: true }
    }

    /// A new span of the trace that the text names, or of a new trace if there is none or it is not valid.
    pub fn continuing(traceparent: Option<&str>) -> Self {
        match traceparent.and_then(|text| text.parse::<Self>().ok()) {
            Some(parent) => parent.next(),
            None => Self::start(),
        }
    }

    /// A new span of the same trace.
    pub(crate) fn next(self) -> Self {
        Self { span_id: fastrand::u64(1..), ..self }
    }

    pub fn trace_id(&self) -> String {
        hexadecimal(self.trace_id, &mut Uuid::encode_buffer()).to_owned()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In one piece, so that a text of it is allocated once.
        let mut text = *b"00-................................-................-00";
        let mut digits = Uuid::encode_buffer();
        text[3..35].copy_from_slice(hexadecimal(self.trace_id, &mut digits).as_bytes());
        text[36..52].copy_from_slice(&hexadecimal(self.span_id.into(), &mut digits).as_bytes()[16..]);
        text[54] = if self.sampled { b'1' } else { b'0' };
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// 32 digits. Every notification has a number written this way, which takes the formatting machinery several times as
/// long.
fn hexadecimal(number: u128, buffer: &mut [u8; 45]) -> &str {
    Uuid::from_u128(number).simple().encode_lower(buffer)
}

impl FromStr for TraceContext {
    type Err = InvalidTraceparent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceparent> {
        let well_formed = text.len() >= 55
            && text.bytes().take(55).enumerate().all(|(at, byte)| match at {
                2 | 35 | 52 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            });
        // Version ff is forbidden; later versions may append members after another dash.
        let version_fits = match text.get(..2) {
            Some("00") => text.len() == 55,
            Some("ff") | None => false,
            Some(_) => text.len() == 55 || text.as_bytes().get(55) == Some(&b'-'),
        };
        if !well_formed || !version_fits {
            return Err(InvalidTraceparent);
        }
        let trace_id = u128::from_str_radix(&text[3..35], 16).map_err(|_| InvalidTraceparent)?;
        let span_id = u64::from_str_radix(&text[36..52], 16).map_err(|_| InvalidTraceparent)?;
        let flags = u8::from_str_radix(&text[53..55], 16).map_err(|_| InvalidTraceparent)?;
        if trace_id == 0 || span_id == 0 {
            return Err(InvalidTraceparent);
        }
        Ok(Self { trace_id, span_id, sampled: flags & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_round_trips_and_its_continuation_stays_in_the_trace() {
        for text in [SAMPLE, &SAMPLE.replace("-01", "-00")] {
            assert_eq!(text.parse::<TraceContext>().unwrap().to_string(), text);
        }
        let next = TraceContext::continuing(Some(SAMPLE));
        assert_eq!(next.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_ne!(next.to_string(), SAMPLE);
    }

    #[test]
    fn anything_else_starts_a_new_trace() {
        let forbidden = "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let longer = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x";
        for text in ["", "0", "01", "nonsense", "00-0-0-01", "01-0-0-01", forbidden, longer, "00-é"] {
            assert!(text.parse::<TraceContext>().is_err(), "{text}");
        }
        assert_ne!(TraceContext::continuing(None).trace_id(), TraceContext::continuing(None).trace_id());
    }
}
