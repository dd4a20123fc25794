//! Subscriptions to `users`: created, read, renewed, reauthorized and removed, with the limits that Graph documents.
//!
//! An expired subscription disappears without a word, as it does for users. No lock is held during a handshake, so an
//! endpoint may call the simulator while it answers one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::auth::Caller;
use crate::config::roles;
use crate::handshake;
use crate::inner::Inner;
use crate::lifecycle;
use crate::locked;
use crate::rates::Kind;
use crate::subscription_request::Wanted;
use crate::wire::{Answer, Call, graph_time};

/// Reauthorizing and renewing one subscription this close together can leave it inconsistent.
const KEEP_APART: SignedDuration = SignedDuration::from_mins(10);

/// A subscription as the simulator keeps it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    pub id: Uuid,
    pub application_id: Uuid,
    /// As it was sent.
    pub resource: String,
    pub change_type: String,
    pub notification_url: String,
    pub lifecycle_notification_url: Option<String>,
    pub expires: Timestamp,
    #[serde(skip)]
    pub client_state: Option<String>,
    pub latest_supported_tls_version: String,
    pub renewed: Option<Timestamp>,
    pub reauthorized: Option<Timestamp>,
    /// Nothing is delivered after it; none: authorized for good.
    pub authorized_until: Option<Timestamp>,
    #[serde(skip)]
    pub(crate) asked_next: Option<Timestamp>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Subscription {
    /// Whether its authorization has ended, so that nothing is delivered.
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        self.authorized_until.is_some_and(|until| until <= now)
    }

    /// Whether a change of this kind to this person is to be reported.
    pub(crate) fn covers(&self, user: Uuid, change: &str) -> bool {
        let wanted = self.change_type.split(',').any(|one| one.trim().eq_ignore_ascii_case(change));
        let resource = resource_of(&self.resource);
        wanted && (resource == "users" || resource == format!("users/{user}"))
    }

    fn combination(&self) -> (Uuid, String, Vec<String>) {
        let mut changes: Vec<String> = self.change_type.split(',').map(|one| one.trim().to_lowercase()).collect();
        changes.sort();
        (self.application_id, resource_of(&self.resource), changes)
    }
}

/// Lower case and without a leading slash.
pub(crate) fn resource_of(text: &str) -> String {
    text.trim_start_matches('/').to_lowercase()
}

#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    by_id: BTreeMap<Uuid, Subscription>,
}

impl Subscriptions {
    /// Those that have not expired; the others are forgotten.
    pub(crate) fn live(&mut self, now: Timestamp) -> &mut BTreeMap<Uuid, Subscription> {
        self.by_id.retain(|_, subscription| subscription.expires > now);
        &mut self.by_id
    }
}

fn may(inner: &Inner, caller: &Caller, kind: Kind) -> Result<(), Answer> {
    // A write permission does not stand in for the read permission here.
    caller.require(inner, &[roles::USER_READ])?;
    let admitted = locked(&inner.rates).admit(caller.app_id, kind, inner.now());
    admitted.map_err(|seconds| inner.error("throttled_subscriptions", &[]).with("Retry-After", seconds.to_string()))
}

pub(crate) fn list(inner: &Inner, caller: &Caller) -> Result<Answer, Answer> {
    may(inner, caller, Kind::List)?;
    let is_behind = {
        let mut settings = locked(&inner.settings);
        let behind = settings.empty_subscription_lists > 0;
        settings.empty_subscription_lists = settings.empty_subscription_lists.saturating_sub(1);
        behind
    };
    let mut subscriptions = locked(&inner.subscriptions);
    let own = subscriptions.live(inner.now()).values().filter(|one| one.application_id == caller.app_id);
    let value: Vec<Value> = own
        .filter(|_| !is_behind)
        .map(|one| {
            let mut body = shown(inner, one);
            body["clientState"] = Value::Null;
            body
        })
        .collect();
    let context = format!("{}/v1.0/$metadata#subscriptions", inner.url);
    Ok(Answer::json(200, json!({ "@odata.context": context, "value": value })))
}

pub(crate) fn get(inner: &Inner, caller: &Caller, id: &str) -> Result<Answer, Answer> {
    may(inner, caller, Kind::Read)?;
    let mut body = shown(inner, &own(inner, caller, id)?);
    body["clientState"] = Value::Null;
    Ok(Answer::json(200, contextual(inner, body)))
}

pub(crate) fn delete(inner: &Inner, caller: &Caller, id: &str) -> Result<Answer, Answer> {
    may(inner, caller, Kind::Write)?;
    let known = own(inner, caller, id)?;
    locked(&inner.subscriptions).by_id.remove(&known.id);
    Ok(Answer::empty(204))
}

pub(crate) async fn create(inner: &Arc<Inner>, call: &Call, caller: &Caller) -> Result<Answer, Answer> {
    may(inner, caller, Kind::Write)?;
    let body = body_of(inner, call)?;
    let wanted = Wanted::new(inner, call, body);
    let mut subscription = wanted.subscription(caller)?;
    free(inner, &subscription)?;
    let urls: Vec<&str> = std::iter::once(subscription.notification_url.as_str())
        .chain(subscription.lifecycle_notification_url.as_deref())
        .collect();
    handshake::validated(inner, &urls).await?;
    // Another create may have been validated in the meantime.
    free(inner, &subscription)?;
    lifecycle::authorized(&inner.settings(), &mut subscription, inner.now());
    let body = contextual(inner, shown(inner, &subscription));
    locked(&inner.subscriptions).by_id.insert(subscription.id, subscription);
    Ok(Answer::json(201, body))
}

pub(crate) async fn update(inner: &Arc<Inner>, call: &Call, caller: &Caller, id: &str) -> Result<Answer, Answer> {
    may(inner, caller, Kind::Write)?;
    let body = body_of(inner, call)?;
    let before = own(inner, caller, id)?;
    let wanted = Wanted::new(inner, call, body);
    let changeable = ["expirationDateTime", "notificationUrl"];
    if let Some(field) = wanted.body.keys().find(|name| !name.contains('@') && !changeable.contains(&name.as_str())) {
        return Err(inner.refuse(call, "subscription_field_read_only", &[("field", field)]));
    }
    let mut after = before.clone();
    if wanted.body.contains_key("expirationDateTime") {
        after.expires = wanted.expiry()?;
    } else if !wanted.body.contains_key("notificationUrl") {
        return Err(wanted.missing("expirationDateTime"));
    }
    if let Some(url) = wanted.url("notificationUrl")? {
        after.notification_url = url;
    }
    apart(inner, call, before.reauthorized);
    if inner.settings().revalidate || after.notification_url != before.notification_url {
        handshake::validated(inner, &[&after.notification_url]).await?;
    }
    after.renewed = Some(inner.now());
    lifecycle::authorized(&inner.settings(), &mut after, inner.now());
    let body = contextual(inner, shown(inner, &after));
    // It may have gone while the endpoint answered.
    own(inner, caller, id)?;
    locked(&inner.subscriptions).by_id.insert(after.id, after);
    inner.outbox_changed.notify_one();
    Ok(Answer::json(200, body))
}

pub(crate) async fn reauthorize(inner: &Arc<Inner>, call: &Call, caller: &Caller, id: &str) -> Result<Answer, Answer> {
    may(inner, caller, Kind::Reauthorize)?;
    let known = own(inner, caller, id)?;
    if !call.body.is_empty() {
        return Err(inner.refuse(call, "body_invalid", &[("problem", "a body where none belongs")]));
    }
    apart(inner, call, known.renewed);
    if inner.settings().revalidate {
        handshake::validated(inner, &[&known.notification_url]).await?;
    }
    if let Some(one) = locked(&inner.subscriptions).by_id.get_mut(&known.id) {
        one.reauthorized = Some(inner.now());
        lifecycle::authorized(&inner.settings(), one, inner.now());
    }
    inner.outbox_changed.notify_one();
    Ok(Answer::empty(204))
}

/// Records a violation when the other operation was less than ten minutes ago.
fn apart(inner: &Inner, call: &Call, other: Option<Timestamp>) {
    if other.is_some_and(|other| inner.now().duration_since(other) < KEEP_APART) {
        locked(&inner.journal).violation(call, "renewed and reauthorized within ten minutes".into());
    }
}

fn own(inner: &Inner, caller: &Caller, id: &str) -> Result<Subscription, Answer> {
    let unknown = || inner.error("subscription_unknown", &[("id", id)]);
    let id = Uuid::try_parse(id).map_err(|_| unknown())?;
    let mut subscriptions = locked(&inner.subscriptions);
    let known = subscriptions.live(inner.now()).get(&id).filter(|one| one.application_id == caller.app_id);
    known.cloned().ok_or_else(unknown)
}

/// Refuses duplicates and more than the quota.
fn free(inner: &Inner, wanted: &Subscription) -> Result<(), Answer> {
    let settings = inner.settings();
    let quota = settings.subscription_quota;
    let mut subscriptions = locked(&inner.subscriptions);
    let live = subscriptions.live(inner.now());
    if let Some(known) = live.values().find(|known| known.combination() == wanted.combination()) {
        return Err(inner.error("subscription_duplicate", &[("id", &known.id.to_string())]));
    }
    if live.values().filter(|known| known.application_id == wanted.application_id).count() >= quota {
        return Err(inner.error("subscription_quota", &[("limit", &quota.to_string())]));
    }
    if live.len() >= settings.tenant_subscription_quota {
        let limit = settings.tenant_subscription_quota.to_string();
        return Err(inner.error("subscription_quota_tenant", &[("limit", &limit)]));
    }
    Ok(())
}

fn body_of(inner: &Inner, call: &Call) -> Result<Map<String, Value>, Answer> {
    if call.media_type() != "application/json" {
        return Err(inner.refuse(call, "media_type", &[("type", &call.media_type())]));
    }
    match serde_json::from_slice(&call.body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(inner.refuse(call, "body_invalid", &[])),
    }
}

fn contextual(inner: &Inner, mut body: Value) -> Value {
    body["@odata.context"] = json!(format!("{}/v1.0/$metadata#subscriptions/$entity", inner.url));
    body
}

fn shown(inner: &Inner, one: &Subscription) -> Value {
    json!({
        "id": one.id, "resource": one.resource, "applicationId": one.application_id, "changeType": one.change_type,
        "clientState": one.client_state, "notificationUrl": one.notification_url,
        "lifecycleNotificationUrl": one.lifecycle_notification_url, "expirationDateTime": graph_time(one.expires),
        // The service principal of the app, which is not the app itself.
        "creatorId": Uuid::from_u128(one.application_id.as_u128() ^ inner.config.tenant_id.as_u128()),
        "latestSupportedTlsVersion": one.latest_supported_tls_version, "encryptionCertificate": "",
        "encryptionCertificateId": "", "includeResourceData": false, "notificationContentType": "application/json",
    })
}
