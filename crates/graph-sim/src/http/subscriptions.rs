//! Subscriptions to `users`: created, read, renewed, reauthorized and removed, with the limits that Graph documents.
//!
//! No lock is held during a handshake, so an endpoint may call the simulator while it answers one.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::roles;
use crate::delivery::{HandshakeFailure, validate_endpoints};
use crate::faults::SubscriptionOperation;
use crate::locked::locked;
use crate::model::{SimSubscription, graph_time};

use super::subscription_body::SubscriptionBody;
use super::{ApiCall, ApiResponse, ApiResult, ApiState, Caller};

/// Reauthorizing and renewing one subscription this close together can leave it inconsistent.
const KEEP_APART: SignedDuration = SignedDuration::from_mins(10);

pub(crate) fn list(state: &ApiState, caller: &Caller) -> ApiResult {
    admit(state, caller, SubscriptionOperation::List)?;
    let lags_behind = state.settings.edit(|settings| {
        let lags_behind = settings.empty_subscription_lists > 0;
        settings.empty_subscription_lists = settings.empty_subscription_lists.saturating_sub(1);
        lags_behind
    });
    let mut subscriptions = locked(&state.model.subscriptions);
    let own = subscriptions.live(state.now()).values().filter(|one| one.application_id == caller.app_id);
    let value: Vec<Value> = own.filter(|_| !lags_behind).map(|one| without_secret(state, one)).collect();
    let context = format!("{}/v1.0/$metadata#subscriptions", state.url);
    Ok(ApiResponse::json(200, json!({ "@odata.context": context, "value": value })))
}

pub(crate) fn get(state: &ApiState, caller: &Caller, id: &str) -> ApiResult {
    admit(state, caller, SubscriptionOperation::Read)?;
    let known = own(state, caller, id)?;
    Ok(ApiResponse::json(200, with_context(state, without_secret(state, &known))))
}

pub(crate) fn delete(state: &ApiState, caller: &Caller, id: &str) -> ApiResult {
    admit(state, caller, SubscriptionOperation::Write)?;
    let known = own(state, caller, id)?;
    locked(&state.model.subscriptions).live(state.now()).remove(&known.id);
    Ok(ApiResponse::empty(204))
}

pub(crate) async fn create(state: &ApiState, call: &ApiCall, caller: &Caller) -> ApiResult {
    admit(state, caller, SubscriptionOperation::Write)?;
    let mut subscription = SubscriptionBody::of(state, call)?.new_subscription(caller)?;
    check_room(state, &subscription)?;
    let lifecycle_url = subscription.lifecycle_notification_url.as_deref();
    let urls: Vec<&str> = std::iter::once(subscription.notification_url.as_str()).chain(lifecycle_url).collect();
    handshake(state, &urls).await?;
    // Another create may have been validated in the meantime.
    check_room(state, &subscription)?;
    subscription.authorize(state.settings().authorization_minutes, state.now());
    let body = with_context(state, shown(state, &subscription));
    locked(&state.model.subscriptions).live(state.now()).insert(subscription.id, subscription);
    Ok(ApiResponse::json(201, body))
}

pub(crate) async fn update(state: &ApiState, call: &ApiCall, caller: &Caller, id: &str) -> ApiResult {
    admit(state, caller, SubscriptionOperation::Write)?;
    let body = SubscriptionBody::of(state, call)?;
    let before = own(state, caller, id)?;
    let mut after = body.updated(&before)?;
    check_apart(state, call, before.reauthorized);
    handshake(state, &[&after.notification_url]).await?;
    after.renewed = Some(state.now());
    after.authorize(state.settings().authorization_minutes, state.now());
    let body = with_context(state, shown(state, &after));
    // It may have been removed while the endpoint answered.
    own(state, caller, id)?;
    locked(&state.model.subscriptions).live(state.now()).insert(after.id, after);
    state.notifier.wake();
    Ok(ApiResponse::json(200, body))
}

pub(crate) async fn reauthorize(state: &ApiState, call: &ApiCall, caller: &Caller, id: &str) -> ApiResult {
    admit(state, caller, SubscriptionOperation::Reauthorize)?;
    let known = own(state, caller, id)?;
    if !call.body.is_empty() {
        return Err(state.refuse(call, "body_invalid", &[("problem", "a body where none belongs")]));
    }
    check_apart(state, call, known.renewed);
    handshake(state, &[&known.notification_url]).await?;
    let (now, minutes) = (state.now(), state.settings().authorization_minutes);
    if let Some(one) = locked(&state.model.subscriptions).live(now).get_mut(&known.id) {
        one.reauthorized = Some(now);
        one.authorize(minutes, now);
    }
    state.notifier.wake();
    Ok(ApiResponse::empty(204))
}

fn admit(state: &ApiState, caller: &Caller, operation: SubscriptionOperation) -> ApiResult<()> {
    // A write permission does not stand in for the read permission here.
    state.require(caller, &[roles::USER_READ])?;
    let admitted = locked(&state.rates).admit(caller.app_id, operation, state.now());
    let refusal = |seconds: i64| state.error("throttled_subscriptions", &[]).with("Retry-After", seconds.to_string());
    admitted.map_err(refusal)
}

async fn handshake(state: &ApiState, urls: &[&str]) -> ApiResult<()> {
    validate_endpoints(&state.notifier, urls).await.map_err(|failure| match failure {
        HandshakeFailure::NotConfirmed => state.error("subscription_validation_failed", &[]),
        HandshakeFailure::Status(name) => state.error("subscription_validation_status", &[("reason", &name)]),
        HandshakeFailure::TimedOut => state.error("subscription_validation_timeout", &[]),
    })
}

/// Records a violation when the other operation was less than ten minutes ago.
fn check_apart(state: &ApiState, call: &ApiCall, other: Option<Timestamp>) {
    if other.is_some_and(|other| state.now().duration_since(other) < KEEP_APART) {
        state.record_violation(call, "renewed and reauthorized within ten minutes".into());
    }
}

fn own(state: &ApiState, caller: &Caller, id: &str) -> ApiResult<SimSubscription> {
    let unknown = || state.error("subscription_unknown", &[("id", id)]);
    let id = Uuid::try_parse(id).map_err(|_| unknown())?;
    let mut subscriptions = locked(&state.model.subscriptions);
    let known = subscriptions.live(state.now()).get(&id).filter(|one| one.application_id == caller.app_id);
    known.cloned().ok_or_else(unknown)
}

/// Refuses duplicates and more than the quotas.
fn check_room(state: &ApiState, wanted: &SimSubscription) -> ApiResult<()> {
    let (settings, now) = (state.settings(), state.now());
    let mut subscriptions = locked(&state.model.subscriptions);
    if let Some(known) = subscriptions.duplicate_of(wanted, now) {
        return Err(state.error("subscription_duplicate", &[("id", &known.to_string())]));
    }
    let live = subscriptions.live(now);
    let quota = settings.subscription_quota;
    if live.values().filter(|known| known.application_id == wanted.application_id).count() >= quota {
        return Err(state.error("subscription_quota", &[("limit", &quota.to_string())]));
    }
    let quota = settings.tenant_subscription_quota;
    if live.len() >= quota {
        return Err(state.error("subscription_quota_tenant", &[("limit", &quota.to_string())]));
    }
    Ok(())
}

fn with_context(state: &ApiState, mut body: Value) -> Value {
    body["@odata.context"] = json!(format!("{}/v1.0/$metadata#subscriptions/$entity", state.url));
    body
}

fn without_secret(state: &ApiState, one: &SimSubscription) -> Value {
    let mut body = shown(state, one);
    body["clientState"] = Value::Null;
    body
}

fn shown(state: &ApiState, one: &SimSubscription) -> Value {
    json!({
        "id": one.id, "resource": one.resource, "applicationId": one.application_id, "changeType": one.change_type,
        "clientState": one.client_state, "notificationUrl": one.notification_url,
        "lifecycleNotificationUrl": one.lifecycle_notification_url, "expirationDateTime": graph_time(one.expires),
        // The service principal of the app, which is not the app itself.
        "creatorId": Uuid::from_u128(one.application_id.as_u128() ^ state.model.id.as_u128()),
        "latestSupportedTlsVersion": one.latest_supported_tls_version, "encryptionCertificate": "",
        "encryptionCertificateId": "", "includeResourceData": false, "notificationContentType": "application/json",
    })
}
