//! The JSON of a notification, as a webhook, an event hub or a partner topic receives it.

use serde_json::{Value, json};

use crate::locked::locked;
use crate::model::graph_time;
use crate::settings::{ExpiryOffset, SequenceNumbers, SimSettings};

use super::notifier::Notifier;
use super::outbox::{Notification, NotificationEvent};

/// `None` when the subscription no longer exists.
pub(crate) fn notification_body(notifier: &Notifier, settings: &SimSettings, of: &Notification) -> Option<Value> {
    let tenant = &notifier.tenant;
    let subscription = locked(&tenant.subscriptions).live(tenant.clock.now()).get(&of.subscription).cloned()?;
    let mut dice = tenant.dice.fork();
    let expires = graph_time(subscription.expires);
    let expires = match (settings.offsets, dice.bool()) {
        (ExpiryOffset::Zero, _) | (ExpiryOffset::Mixed, true) => expires.replace('Z', "+00:00"),
        (ExpiryOffset::Z, _) | (ExpiryOffset::Mixed, false) => expires,
    };
    let mut body = json!({
        "subscriptionExpirationDateTime": expires, "subscriptionId": of.subscription, "tenantId": tenant.id,
    });
    if let Some(state) = &subscription.client_state {
        body["clientState"] = json!(state);
    }
    let (user, change) = match of.event {
        NotificationEvent::Change { user, change } => (user, change),
        NotificationEvent::Lifecycle(event) => {
            body["lifecycleEvent"] = json!(event);
            return Some(body);
        }
    };
    let resource = format!("Users/{user}");
    let mut data = json!({
        "@odata.type": "#Microsoft.Graph.User", "@odata.id": resource, "id": user, "organizationId": tenant.id,
        "eventTime": graph_time(of.raised),
    });
    if let Some(number) = sequence_number(settings, of.sequence, &mut dice) {
        data["sequenceNumber"] = number;
    }
    body["changeType"] = json!(change);
    body["resource"] = json!(resource);
    body["resourceData"] = data;
    Some(body)
}

fn sequence_number(settings: &SimSettings, number: u64, dice: &mut fastrand::Rng) -> Option<Value> {
    let (is_text, is_absent) = (dice.bool(), dice.u8(..) < 32);
    match (settings.sequence_numbers, is_absent, is_text) {
        (SequenceNumbers::Absent, ..) | (SequenceNumbers::Mixed, true, _) => None,
        (SequenceNumbers::Text, ..) | (SequenceNumbers::Mixed, _, true) => Some(json!(number.to_string())),
        (SequenceNumbers::Number, ..) | (SequenceNumbers::Mixed, ..) => Some(json!(number)),
    }
}

/// A notification as Event Grid passes it on (CloudEvents 1.0).
pub(crate) fn cloud_event(notifier: &Notifier, notification: &Value) -> String {
    let tenant = &notifier.tenant;
    let change = match notification["changeType"].as_str() {
        Some("deleted") => "UserDeleted",
        _ => "UserUpdated",
    };
    json!({
        "specversion": "1.0", "id": tenant.dice.guid(), "type": format!("Microsoft.Graph.{change}"),
        "source": format!("/tenants/{}/applications/{}", tenant.id, notifier.app_id),
        "subject": notification["resource"], "time": graph_time(tenant.clock.now()),
        "datacontenttype": "application/json", "data": notification,
    })
    .to_string()
}
