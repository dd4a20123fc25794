//! Notifications that come as events, by Azure Event Hubs or Event Grid, for deployments without a public endpoint.
//!
//! It only finds Graph's items, however host and service have wrapped them; `notify` and `lifecycle` judge each of them
//! as if it had been posted. An event that holds none is counted and dropped, because a retry would not change it.
//! <https://learn.microsoft.com/graph/change-notifications-delivery-event-hubs>
//! <https://learn.microsoft.com/azure/event-grid/microsoft-entra-events>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// A list of events, each a text, base64 of it, or parsed; in it a collection or a CloudEvent; in that the items.
const MAX_DEPTH: usize = 6;
/// What Graph sends to an event hub when a subscription is made, to see that it can.
const VALIDATION: &str = "Validation: ";

/// What one invocation holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Events {
    notifications: Vec<Value>,
    lifecycle: Vec<Value>,
    /// Events in which no item was found.
    pub(super) unreadable: usize,
}

impl Events {
    pub(super) fn read(data: &Value) -> Self {
        let mut events = Self::default();
        events.unwrap(data, MAX_DEPTH);
        events
    }

    /// As Graph would post them; none if there are none.
    pub(super) fn notifications(&self) -> Option<Vec<u8>> {
        posted(&self.notifications)
    }

    pub(super) fn lifecycle(&self) -> Option<Vec<u8>> {
        posted(&self.lifecycle)
    }

    fn unwrap(&mut self, value: &Value, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else {
            self.unreadable += 1;
            return;
        };
        match value {
            Value::Array(all) => all.iter().for_each(|one| self.unwrap(one, depth)),
            Value::String(text) => match decoded(text) {
                Some(inner) => self.unwrap(&inner, depth),
                None => self.unreadable += 1,
            },
            Value::Object(members) => match (members.get("value"), members.get("data")) {
                (Some(items @ Value::Array(_)), _) => self.unwrap(items, depth),
                // A CloudEvent, whose data is one item.
                (_, Some(item)) if members.contains_key("specversion") => self.unwrap(item, depth),
                _ => self.sort(value),
            },
            _ => self.unreadable += 1,
        }
    }

    fn sort(&mut self, item: &Value) {
        let is_validation = item["changeType"].as_str().is_some_and(|change| change.starts_with(VALIDATION));
        if is_validation {
            tracing::info!("Graph tries the event hub");
        } else if item.get("lifecycleEvent").is_some_and(|event| !event.is_null()) {
            self.lifecycle.push(item.clone());
        } else {
            self.notifications.push(item.clone());
        }
    }
}

fn decoded(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    serde_json::from_slice(&BASE64.decode(text).ok()?).ok()
}

fn posted(items: &[Value]) -> Option<Vec<u8>> {
    (!items.is_empty()).then(|| json!({ "value": items }).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the page about the delivery to event hubs shows it.
    const TRIES: &str = r#"{"value":[{"subscriptionId":"NA","subscriptionExpirationDateTime":"NA","clientState":"NA",
        "changeType":"Validation: Testing client application reachability for subscription Request-Id: 522a8e7e",
        "resource":"NA","resourceData":{"@odata.type":"NA","@odata.id":"NA","id":"NA"}}]}"#;

    fn change(id: &str) -> Value {
        json!({ "changeType": "updated", "clientState": "s", "resource": format!("Users/{id}"), "resourceData": { "id": id } })
    }

    fn cloud_event(item: &Value) -> Value {
        json!({
            "id": "1", "type": "Microsoft.Graph.UserUpdated", "source": "/tenants/t/applications/a",
            "subject": "Users/1", "time": "2026-05-24T22:24:31.3062901Z", "datacontenttype": "application/json",
            "specversion": "1.0", "data": item,
        })
    }

    #[test]
    fn items_are_found_in_every_wrapping() {
        let (one, two) = (change("1"), change("2"));
        let collection = json!({ "value": [one, two] });
        let text = collection.to_string();
        let wrapped = [
            collection.clone(),
            json!([collection]),
            json!(text),
            json!([text]),
            json!([json!(text).to_string()]),
            json!([BASE64.encode(&text)]),
            json!([{ "value": [one] }, json!({ "value": [two] }).to_string()]),
            json!([cloud_event(&one), cloud_event(&two)]),
            json!([cloud_event(&one).to_string(), cloud_event(&two).to_string()]),
        ];
        for data in wrapped {
            let events = Events::read(&data);
            assert_eq!((&events.notifications, events.unreadable), (&vec![one.clone(), two.clone()], 0), "{data}");
        }
    }

    #[test]
    fn what_only_tries_the_hub_is_nothing_and_lifecycle_events_are_told_apart() {
        assert_eq!(Events::read(&json!([TRIES])), Events::default());
        let missed = json!({ "lifecycleEvent": "missed", "clientState": "s" });
        let events = Events::read(&json!([json!({ "value": [missed, change("1")] }).to_string()]));
        assert_eq!((events.lifecycle, events.notifications), (vec![missed], vec![change("1")]));
    }

    #[test]
    fn what_holds_no_item_is_counted_and_hides_no_other() {
        let deep = (0..MAX_DEPTH).fold(json!(TRIES), |inner, _| json!([inner]));
        let events = Events::read(&json!(["no json", 7, null, "", deep, change("1")]));
        assert_eq!((events.unreadable, events.notifications), (5, vec![change("1")]));
    }
}
