//! The invocation envelope between the Functions host and a custom handler.
//!
//! Reading is tolerant, because the host encodes by .NET type: strings come as JSON inside JSON, numbers as strings,
//! bytes as base64. Writing is strict: an empty 2xx answer makes the host wait until its time limit, so every answer is
//! a JSON object. <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#request-payload>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use photorelay_core::queue::Delivery;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One call of a function.
#[derive(Debug, Deserialize)]
pub struct Invocation {
    #[serde(rename = "Data")]
    data: Map<String, Value>,
    #[serde(rename = "Metadata", default)]
    metadata: Map<String, Value>,
}

#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    #[error("the invocation is not an envelope of the Functions host: {0}")]
    NotAnEnvelope(serde_json::Error),
    #[error("the invocation has no data named `{0}`")]
    NoData(String),
}

impl Invocation {
    pub fn parse(body: &[u8]) -> Result<Self, EnvelopeError> {
        serde_json::from_slice(body).map_err(EnvelopeError::NotAnEnvelope)
    }

    /// The queue message's bytes. `dataType: binary` gives them as one base64 string; a host that ignores it gives a
    /// JSON string within a JSON string, or the text itself.
    pub fn message(&self, binding: &str) -> Result<Vec<u8>, EnvelopeError> {
        let text = match self.data(binding)? {
            Value::String(text) => text,
            // A host that parsed the message for us.
            parsed @ Value::Object(_) => return Ok(parsed.to_string().into_bytes()),
            _ => return Err(EnvelopeError::NoData(binding.to_owned())),
        };
        if let Ok(bytes) = BASE64.decode(text) {
            return Ok(bytes);
        }
        let inner = serde_json::from_str::<String>(text);
        Ok(inner.unwrap_or_else(|_| text.clone()).into_bytes())
    }

    /// What the trigger brought, as it came.
    pub fn data(&self, binding: &str) -> Result<&Value, EnvelopeError> {
        self.data.get(binding).ok_or_else(|| EnvelopeError::NoData(binding.to_owned()))
    }

    /// How often the message has been delivered, this time included; a number or a string with one.
    pub fn dequeue_count(&self) -> u32 {
        let count = match self.metadata.get("DequeueCount") {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.trim_matches('"').parse().ok(),
            _ => None,
        };
        count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
    }

    /// Whether a timer's time has passed unused; the timer comes as an object or as a string with one.
    pub fn is_past_due(&self, binding: &str) -> bool {
        let timer = match self.data.get(binding) {
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            Some(timer) => timer.clone(),
            None => Value::Null,
        };
        timer["IsPastDue"] == true
    }
}

/// What a function answers when it is done.
pub fn done(log: Option<String>) -> Value {
    json!({ "Outputs": {}, "Logs": log.into_iter().collect::<Vec<_>>(), "ReturnValue": null })
}

/// A queue message in the envelope that the host would make of it.
pub fn for_message(function: &str, binding: &str, delivery: &Delivery, bytes: &[u8]) -> Value {
    json!({
        "Data": { binding: BASE64.encode(bytes) },
        "Metadata": {
            "DequeueCount": delivery.dequeue_count.to_string(),
            "Id": json!(delivery.id).to_string(),
            "InsertionTime": whole_seconds(delivery.inserted_at),
            "sys": sys(function),
        }
    })
}

/// A timer's occurrence in the envelope that the host would make of it.
pub fn for_timer(function: &str, binding: &str, is_past_due: bool) -> Value {
    json!({
        "Data": { binding: {
            "Schedule": { "AdjustForDST": true },
            "ScheduleStatus": null,
            "IsPastDue": is_past_due,
        } },
        "Metadata": { "sys": sys(function) }
    })
}

fn sys(function: &str) -> Value {
    json!({ "MethodName": function, "UtcNow": Timestamp::now().to_string(), "RandGuid": uuid::Uuid::new_v4() })
}

fn whole_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(data: Value) -> Vec<u8> {
        let body = json!({ "Data": { "msg": data }, "Metadata": {} }).to_string();
        Invocation::parse(body.as_bytes()).unwrap().message("msg").unwrap()
    }

    #[test]
    fn a_message_is_read_in_every_encoding_that_a_host_may_use() {
        let text = r#"{"v":1}"#;
        assert_eq!(message(json!(BASE64.encode(text))), text.as_bytes());
        assert_eq!(message(json!(json!(text).to_string())), text.as_bytes());
        assert_eq!(message(json!(text)), text.as_bytes());
        assert_eq!(message(json!({ "v": 1 })), text.as_bytes());
    }

    #[test]
    fn a_timer_past_due_is_known_in_either_encoding() {
        for is_past_due in [true, false] {
            let envelope = for_timer("sweep", "timer", is_past_due);
            let as_text = json!({ "Data": { "timer": envelope["Data"]["timer"].to_string() }, "Metadata": {} });
            for body in [envelope, as_text] {
                let invocation = Invocation::parse(body.to_string().as_bytes()).unwrap();
                assert_eq!(invocation.is_past_due("timer"), is_past_due);
            }
        }
    }

    #[test]
    fn a_dequeue_count_is_read_as_number_or_text() {
        for (count, expected) in [(json!(3), 3), (json!("3"), 3), (json!("\"3\""), 3), (json!(null), 1)] {
            let body = json!({ "Data": {}, "Metadata": { "DequeueCount": count } }).to_string();
            assert_eq!(Invocation::parse(body.as_bytes()).unwrap().dequeue_count(), expected, "{count}");
        }
    }
}
