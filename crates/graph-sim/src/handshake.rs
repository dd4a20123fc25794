//! The validation of a notification endpoint: a POST with a token that must come back as plain text.
//!
//! An event hub or a partner topic cannot answer: it gets a message that only tries it.
//!
//! The token is form-encoded as observed on the wire: `+` for spaces and `%3a` for colons, so a client that decodes
//! percent signs only fails here as it would with Graph.

use std::time::Duration;

use serde_json::json;
use url::Url;

use crate::inner::Inner;
use crate::locked;
use crate::wire::Answer;

/// Asks every URL; equal URLs are asked twice, as Graph does.
pub(crate) async fn validated(inner: &Inner, urls: &[&str]) -> Result<(), Answer> {
    for url in urls {
        one(inner, url).await?;
    }
    Ok(())
}

/// Whether this is no HTTP endpoint but an event hub or a partner topic of Event Grid.
pub(crate) fn is_for_events(url: &str) -> bool {
    let hub = url.strip_prefix("EventHub:https://").is_some_and(|hub| hub.contains("?tenantId="));
    hub || url.strip_prefix("EventGrid:?").is_some_and(|topic| topic.contains("partnertopic="))
}

async fn one(inner: &Inner, url: &str) -> Result<(), Answer> {
    let failed = || inner.error("subscription_validation_failed", &[]);
    let token = format!(
        "Validation: Testing client application reachability for subscription Request-Id: {}",
        inner.fresh_guid()
    );
    if is_for_events(url) {
        let item = json!({
            "subscriptionId": "NA", "subscriptionExpirationDateTime": "NA", "clientState": "NA", "changeType": token,
            "resource": "NA", "resourceData": { "@odata.type": "NA", "@odata.id": "NA", "id": "NA" },
        });
        locked(&inner.events).push(json!({ "value": [item] }).to_string());
        return Ok(());
    }
    let mut url = Url::parse(url).map_err(|_| failed())?;
    let encoded = token.replace(' ', "+").replace(':', "%3a");
    let query = match url.query() {
        Some(own) if !own.is_empty() => format!("{own}&validationToken={encoded}"),
        _ => format!("validationToken={encoded}"),
    };
    url.set_query(Some(&query));
    let request = inner
        .http
        .post(url)
        .header("Content-Type", "text/plain; charset=utf-8")
        .timeout(Duration::from_millis(inner.settings().handshake_answer_ms));
    let answered = async {
        let mut response = request.send().await?;
        let status = response.status();
        let plain = response.headers().get("content-type").and_then(|value| value.to_str().ok()).is_some_and(|value| {
            value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/plain"))
        });
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await? {
            body.extend_from_slice(&part);
            if body.len() > 4096 {
                break;
            }
        }
        Ok::<_, reqwest::Error>((status, plain, body))
    };
    match answered.await {
        Ok((status, plain, body)) if status == 200 => {
            if plain && body == token.as_bytes() {
                Ok(())
            } else {
                Err(failed())
            }
        }
        Ok((status, _, _)) => {
            let reason = status.canonical_reason().unwrap_or("Unknown").replace(' ', "");
            Err(inner.error("subscription_validation_status", &[("reason", &reason)]))
        }
        Err(problem) if problem.is_timeout() => Err(inner.error("subscription_validation_timeout", &[])),
        Err(_) => Err(failed()),
    }
}
