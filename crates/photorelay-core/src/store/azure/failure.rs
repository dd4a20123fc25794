//! Maps the SDK's errors to [`StoreError`].
//!
//! The result must never contain what an SDK error may hold: a URL with a SAS, or the body of a response.

use std::error::Error as _;

use azure_core::error::ErrorKind;

use crate::store::StoreError;

/// The reported cause of a failure: photorelay's own text and the service's codes, never an untrusted text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct AzureFailure(String);

/// The HTTP status of the response, if there was one.
pub(crate) fn status(error: &azure_core::Error) -> Option<u16> {
    error.http_status().map(u16::from)
}

/// The service's own code, such as `BlobNotFound`.
pub(crate) fn error_code(error: &azure_core::Error) -> Option<&str> {
    match error.kind() {
        ErrorKind::HttpResponse { error_code, .. } => error_code.as_deref(),
        _ => None,
    }
}

pub(crate) fn classify(error: azure_core::Error, doing: impl FnOnce() -> String) -> StoreError {
    let doing = doing();
    let code = error_code(&error).map(shown_code).unwrap_or_default();
    let Some(status) = status(&error) else {
        return match error.kind() {
            ErrorKind::Connection | ErrorKind::Io | ErrorKind::Credential => {
                StoreError::Unavailable { doing, source: AzureFailure(without_response(&error)).into() }
            }
            _ => StoreError::Invalid { doing, source: AzureFailure(without_response(&error)).into() },
        };
    };
    let source = AzureFailure(format!("the service returned {status} {code}").trim_end().to_owned()).into();
    match (status, code.as_str()) {
        // The service is still deleting it.
        (409, "ContainerBeingDeleted" | "QueueBeingDeleted") => StoreError::Unavailable { doing, source },
        (401 | 403, _) => StoreError::Denied { doing, source },
        (404, "ContainerNotFound") => StoreError::Missing { what: format!("the container for {doing}") },
        (404, "QueueNotFound") => StoreError::Missing { what: format!("the queue for {doing}") },
        (404, _) => StoreError::Missing { what: format!("the account, container or queue for {doing}") },
        (408 | 429 | 500.., _) => StoreError::Unavailable { doing, source },
        _ => StoreError::Invalid { doing, source },
    }
}

/// The code if it is a single word; anything else did not come from the storage service.
fn shown_code(code: &str) -> String {
    let word = (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
    if word { code.to_owned() } else { String::new() }
}

/// Why there was no response: the kind of failure, and the operating system's error.
fn without_response(error: &azure_core::Error) -> String {
    let what = match error.kind() {
        ErrorKind::Connection => "the connection failed",
        ErrorKind::Io => "the connection was lost or timed out",
        ErrorKind::Credential => "no token could be acquired for the storage",
        ErrorKind::DataConversion => "the response could not be parsed",
        _ => "the request could not be sent",
    };
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            // The kind, not the text, which may contain anything.
            return format!("{what}: {}", io.kind());
        }
        cause = inner.source();
    }
    what.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::StatusCode;

    fn answered(status: StatusCode, code: Option<&str>) -> StoreError {
        let kind = ErrorKind::HttpResponse { status, error_code: code.map(str::to_owned), raw_response: None };
        let error = azure_core::Error::with_message(kind, "GET https://x.test/c?sv=1&sig=SECRET failed");
        classify(error, || "reading audit/x".to_owned())
    }

    #[test]
    fn responses_are_classified_by_what_a_caller_can_do() {
        use StoreError::{Denied, Invalid, Missing, Unavailable};
        assert!(matches!(answered(StatusCode::Forbidden, Some("AuthorizationFailure")), Denied { .. }));
        assert!(matches!(answered(StatusCode::Unauthorized, None), Denied { .. }));
        assert!(matches!(answered(StatusCode::NotFound, Some("ContainerNotFound")), Missing { .. }));
        assert!(matches!(answered(StatusCode::TooManyRequests, None), Unavailable { .. }));
        assert!(matches!(answered(StatusCode::RequestTimeout, None), Unavailable { .. }));
        assert!(matches!(answered(StatusCode::ServiceUnavailable, Some("ServerBusy")), Unavailable { .. }));
        assert!(matches!(answered(StatusCode::Conflict, Some("QueueBeingDeleted")), Unavailable { .. }));
        assert!(matches!(answered(StatusCode::PayloadTooLarge, Some("RequestBodyTooLarge")), Invalid { .. }));
    }

    #[test]
    fn no_failure_repeats_untrusted_text() {
        let broken = azure_core::Error::with_message(ErrorKind::Io, "https://x.test/?sig=SECRET");
        for error in [
            answered(StatusCode::BadRequest, Some("https://x.test/?sig=SECRET")),
            answered(StatusCode::Forbidden, Some("AuthenticationFailed")),
            classify(broken, || "reading audit/x".to_owned()),
        ] {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("SECRET") && !shown.contains("x.test"), "{shown}");
        }
    }
}
