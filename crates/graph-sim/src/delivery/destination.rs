//! Destinations that are not webhooks.

/// Whether this is no HTTP endpoint but an event hub or a partner topic of Event Grid.
pub(crate) fn is_event_destination(url: &str) -> bool {
    let hub = url.strip_prefix("EventHub:https://").is_some_and(|hub| hub.contains("?tenantId="));
    hub || is_partner_topic(url)
}

pub(crate) fn is_partner_topic(url: &str) -> bool {
    url.strip_prefix("EventGrid:?").is_some_and(|topic| topic.contains("partnertopic="))
}
