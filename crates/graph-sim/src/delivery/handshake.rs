//! The validation of a notification endpoint: a POST with a token that must come back as plain text.
//!
//! An event hub or a partner topic cannot respond: it receives a trial message instead.
//!
//! The token is form-encoded as observed on the wire: `+` for spaces and `%3a` for colons, so a client that decodes
//! percent signs only fails here as it would with Graph.

use std::time::Duration;

use serde_json::json;
use url::Url;

use crate::locked::locked;

use super::destination::is_event_destination;
use super::notifier::Notifier;

/// Longer responses are not read to the end.
const LONGEST_RESPONSE: usize = 4096;

#[derive(Debug)]
pub(crate) enum HandshakeFailure {
    /// No connection, or a response other than the token as plain text.
    NotConfirmed,
    /// Another status than 200, by its name without spaces.
    Status(String),
    TimedOut,
}

/// Asks every URL; equal URLs are asked twice, as Graph does.
pub(crate) async fn validate_endpoints(notifier: &Notifier, urls: &[&str]) -> Result<(), HandshakeFailure> {
    for url in urls {
        let guid = notifier.tenant.dice.guid();
        let token = format!("Validation: Testing client application reachability for subscription Request-Id: {guid}");
        if is_event_destination(url) {
            locked(&notifier.events).push(trial_message(&token));
        } else {
            validate_endpoint(notifier, url, &token).await?;
        }
    }
    Ok(())
}

fn trial_message(token: &str) -> String {
    let item = json!({
        "subscriptionId": "NA", "subscriptionExpirationDateTime": "NA", "clientState": "NA", "changeType": token,
        "resource": "NA", "resourceData": { "@odata.type": "NA", "@odata.id": "NA", "id": "NA" },
    });
    json!({ "value": [item] }).to_string()
}

async fn validate_endpoint(notifier: &Notifier, url: &str, token: &str) -> Result<(), HandshakeFailure> {
    let mut url = Url::parse(url).map_err(|_| HandshakeFailure::NotConfirmed)?;
    let encoded = token.replace(' ', "+").replace(':', "%3a");
    let query = match url.query() {
        Some(own) if !own.is_empty() => format!("{own}&validationToken={encoded}"),
        _ => format!("validationToken={encoded}"),
    };
    url.set_query(Some(&query));
    let limit = Duration::from_millis(notifier.settings.get().handshake_answer_ms);
    let request = notifier.http.post(url).header("Content-Type", "text/plain; charset=utf-8").timeout(limit);
    let failure = |problem: reqwest::Error| match problem.is_timeout() {
        true => HandshakeFailure::TimedOut,
        false => HandshakeFailure::NotConfirmed,
    };
    let response = request.send().await.map_err(failure)?;
    if response.status() != 200 {
        let name = response.status().canonical_reason().unwrap_or("Unknown").replace(' ', "");
        return Err(HandshakeFailure::Status(name));
    }
    let is_plain = is_plain_text(&response);
    let body = beginning(response).await.map_err(failure)?;
    if is_plain && body == token.as_bytes() { Ok(()) } else { Err(HandshakeFailure::NotConfirmed) }
}

fn is_plain_text(response: &reqwest::Response) -> bool {
    let value = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("text/plain"))
}

async fn beginning(mut response: reqwest::Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > LONGEST_RESPONSE {
            break;
        }
    }
    Ok(body)
}
