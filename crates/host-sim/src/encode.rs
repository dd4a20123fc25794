//! What the host sends: the envelope, with strings encoded twice and its other surprises.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::{Map, Value, json};

use crate::options::HostFaults;
use crate::package::HostedFunction;

/// A message as it was received. Its times are in UTC; a message without end expires in the last second of the year 9999,
/// which is later than the last timestamp.
#[derive(Debug, Clone)]
pub(crate) struct QueueTriggerMessage {
    pub(crate) id: String,
    pub(crate) receipt: String,
    pub(crate) dequeue_count: i64,
    pub(crate) inserted: DateTime,
    pub(crate) expires: DateTime,
    pub(crate) next_visible: DateTime,
    pub(crate) body: Vec<u8>,
}

/// A string becomes a string that holds a JSON string; numbers and booleans become strings that hold their JSON.
pub(crate) fn value(value: &Value) -> Value {
    match value {
        Value::Object(_) | Value::Array(_) | Value::Null => value.clone(),
        scalar => Value::String(scalar.to_string()),
    }
}

pub(crate) fn queue(function: &HostedFunction, message: &QueueTriggerMessage, faults: &HostFaults) -> Value {
    let count = json!(message.dequeue_count);
    let mut metadata = Map::new();
    metadata.insert("Id".into(), value(&json!(message.id)));
    metadata.insert("PopReceipt".into(), value(&json!(message.receipt)));
    metadata.insert("DequeueCount".into(), if faults.numeric_dequeue_count { count } else { value(&count) });
    metadata.insert("InsertionTime".into(), whole_seconds(message.inserted));
    metadata.insert("ExpirationTime".into(), whole_seconds(message.expires));
    metadata.insert("NextVisibleTime".into(), whole_seconds(message.next_visible));
    let data = if function.trigger["dataType"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("binary")) {
        Value::String(STANDARD.encode(&message.body))
    } else {
        let text = String::from_utf8_lossy(&message.body);
        merge(&mut metadata, &text);
        value(&json!(text))
    };
    envelope(function, data, metadata, faults)
}

/// The top-level properties of a message that is a JSON object override what the host knows by the same name, as text.
/// Those without a value are skipped.
fn merge(metadata: &mut Map<String, Value>, text: &str) {
    let Ok(Value::Object(properties)) = serde_json::from_str(text) else { return };
    for (name, property) in properties {
        let encoded = match &property {
            Value::Array(_) | Value::Null => continue,
            Value::Object(_) => property,
            Value::String(text) => value(&json!(text)),
            // As .NET writes it.
            Value::Bool(is) => value(&json!(if *is { "True" } else { "False" })),
            Value::Number(number) => value(&json!(number.to_string())),
        };
        let known = metadata.keys().find(|key| key.eq_ignore_ascii_case(&name)).cloned();
        metadata.insert(known.unwrap_or(name), encoded);
    }
}

pub(crate) fn timer(function: &HostedFunction, status: Option<Value>, past_due: bool, faults: &HostFaults) -> Value {
    let status = status.filter(|_| !faults.null_schedule_status);
    let data = json!({ "Schedule": { "AdjustForDST": true }, "ScheduleStatus": status, "IsPastDue": past_due });
    envelope(function, data, Map::new(), faults)
}

pub(crate) fn envelope(
    function: &HostedFunction,
    data: Value,
    mut metadata: Map<String, Value>,
    faults: &HostFaults,
) -> Value {
    metadata.retain(|name, _| !name.to_lowercase().ends_with("trigger"));
    metadata.insert(
        "sys".into(),
        json!({ "MethodName": function.name, "UtcNow": Timestamp::now().to_string(), "RandGuid": uuid::Uuid::new_v4() }),
    );
    if faults.unknown_metadata {
        metadata.insert("AddedByANewerHost".into(), json!({ "nested": ["anything", 1, null] }));
    }
    let mut datas = Map::new();
    datas.insert(function.binding_name().to_owned(), data);
    json!({ "Data": datas, "Metadata": metadata })
}

fn whole_seconds(time: DateTime) -> Value {
    Value::String(time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string())
}
