//! Whether the endpoints answer the handshake as Graph requires, tried from this machine.
//!
//! Graph calls from the internet, without credentials, and accepts no redirect and no untrusted certificate. Success
//! here does not prove that Graph gets through; what fails here fails there too.

use std::time::{Duration, Instant};

use photorelay_core::diagnosis::CheckResult;
use photorelay_core::entra::{NoCaCertificates, is_loopback};
use reqwest::redirect::Policy;
use url::Url;
use uuid::Uuid;

/// Graph's own limit for the handshake.
const LIMIT: Duration = Duration::from_secs(10);
/// Graph's limit for the first attempt of a notification.
const SLOW: Duration = Duration::from_secs(3);
const MAX_ANSWER_BYTES: usize = 4096;

pub(super) async fn check(public_url: Option<&Url>, results: &mut Vec<CheckResult>) {
    let Some(public_url) = public_url else {
        results.push(CheckResult::warning(
            "endpoint",
            "PHOTORELAY_PUBLIC_URL is not set: Graph cannot notify, and photos come with the hourly sweep",
            "set it to where Graph reaches this program",
        ));
        return;
    };
    for name in ["notifications", "lifecycle"] {
        let mut url = public_url.clone();
        url.set_path(&format!("{}/api/{name}", url.path().trim_end_matches('/')));
        let check = format!("endpoint {name}");
        results.push(judge(&check, &url, shake(&url).await));
    }
}

fn judge(check: &str, url: &Url, shaken: Result<Duration, String>) -> CheckResult {
    let fix = "Graph needs 200, text/plain and the token within 10 s, from the internet, without sign-in, redirect or \
                an untrusted certificate";
    match shaken {
        Err(why) if why == NoCaCertificates::PROBLEM => CheckResult::error(check, why, NoCaCertificates::FIX),
        Err(why) => CheckResult::error(check, format!("no handshake: {why}"), fix),
        Ok(_) if url.scheme() != "https" && !is_loopback(url) => {
            CheckResult::error(check, "it answers, but not by https", "Graph calls https URLs only")
        }
        Ok(_) if is_loopback(url) => CheckResult::warning(
            check,
            "it answers on this machine, where only a simulator can call it",
            "set PHOTORELAY_PUBLIC_URL to an https URL on the internet",
        ),
        Ok(took) if took > SLOW => CheckResult::warning(
            check,
            format!("it answered after {} ms", took.as_millis()),
            "Graph drops notifications for endpoints that take longer than 3 s: keep an instance always ready",
        ),
        Ok(took) => CheckResult::ok(check, format!("it answered in {} ms, called from this machine", took.as_millis())),
    }
}

/// How long a correct answer took, or what was wrong.
async fn shake(url: &Url) -> Result<Duration, String> {
    let token = format!("Validation: photorelay doctor Request-Id: {}", Uuid::new_v4());
    let mut asked = url.clone();
    asked.query_pairs_mut().append_pair("validationToken", &token);
    let client = reqwest::Client::builder().redirect(Policy::none()).timeout(LIMIT).build();
    let client = client.map_err(|error| {
        NoCaCertificates::find(&error).map_or_else(|| cause(&error), |_| NoCaCertificates::PROBLEM.to_owned())
    })?;
    let began = Instant::now();
    let request = client.post(asked).header("content-type", "text/plain; charset=utf-8");
    // The URL may contain a key, so it is left out of the message.
    let mut response = request.send().await.map_err(|error| cause(&error.without_url()))?;
    let status = response.status();
    let is_plain =
        response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            break;
        }
    }
    match status.as_u16() {
        200 if !is_plain => Err("the answer is not text/plain".to_owned()),
        200 if body != token.as_bytes() => Err("the answer is not the token".to_owned()),
        200 => Ok(began.elapsed()),
        other => Err(format!("the answer is {other}")),
    }
}

/// The innermost reason, which is the one that helps.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
