//! The response that a fault puts in place of the real one.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::faults::{Fault, RetryAfter};

use super::{ApiResponse, ApiState};

/// `None` for faults that leave the response in place.
pub(crate) fn fault_response(state: &ApiState, fault: &Fault) -> Option<ApiResponse> {
    match fault {
        Fault::GraphError { name } => Some(state.error(name, &[])),
        Fault::Throttled { retry_after } => Some(with_retry_after(state.error("throttled", &[]), *retry_after)),
        Fault::Status { status, code, retry_after } => {
            let response = ApiResponse::error(*status, code, "An injected fault.");
            Some(with_retry_after(response, *retry_after))
        }
        Fault::WrongType => {
            let page = Bytes::from_static(b"<!DOCTYPE html><title>Sorry</title><p>Something went wrong.");
            Some(ApiResponse::media("text/html", page))
        }
        Fault::Latency { .. } | Fault::CutBody | Fault::Truncated | Fault::SlowBody { .. } | Fault::EndlessBody => None,
    }
}

fn with_retry_after(response: ApiResponse, retry_after: RetryAfter) -> ApiResponse {
    let value = match retry_after {
        RetryAfter::Absent => return response,
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Fraction(seconds) => format!("{seconds:.3}"),
        RetryAfter::Date(seconds) => {
            let at = Timestamp::now() + SignedDuration::from_secs(seconds as i64);
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
        }
    };
    response.with("Retry-After", value)
}
