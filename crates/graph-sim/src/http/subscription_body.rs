//! The body of a create or an update of a subscription, checked member by member before anything is done.
//!
//! A member that Graph does not document is refused, so that a misspelled one is noticed.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use crate::delivery::is_event_destination;
use crate::model::{SimSubscription, normalized_resource};

use super::{ApiCall, ApiResponse, ApiResult, ApiState, Caller};

const SHORTEST: SignedDuration = SignedDuration::from_mins(45);
const LONGEST: SignedDuration = SignedDuration::from_mins(41_760);
const LONGEST_CLIENT_STATE: usize = 128;

#[rustfmt::skip]
const MEMBERS: [&str; 14] = [
    "changeType", "resource", "notificationUrl", "lifecycleNotificationUrl", "expirationDateTime", "clientState",
    "latestSupportedTlsVersion", "includeResourceData", "encryptionCertificate", "encryptionCertificateId",
    "notificationQueryOptions", "notificationUrlAppId", "notificationContentType", "@odata.type",
];
const WEB_PUSH_MEMBERS: [&str; 3] = ["vapidPublicKey", "webPushEncryptionP256dhPublicKey", "webPushEncryptionSecret"];

pub(crate) struct SubscriptionBody<'a> {
    state: &'a ApiState,
    call: &'a ApiCall,
    members: Map<String, Value>,
}

impl<'a> SubscriptionBody<'a> {
    pub(crate) fn of(state: &'a ApiState, call: &'a ApiCall) -> ApiResult<Self> {
        state.require_media_type(call, "application/json")?;
        match serde_json::from_slice(&call.body) {
            Ok(Value::Object(members)) => Ok(Self { state, call, members }),
            _ => Err(state.refuse(call, "body_invalid", &[])),
        }
    }

    /// The subscription that a create asks for, not yet authorized.
    pub(crate) fn new_subscription(&self, caller: &Caller) -> ApiResult<SimSubscription> {
        self.check_members()?;
        let change_type = self.required("changeType")?;
        let is_change = |one: &str| ["created", "updated", "deleted"].contains(&one.trim().to_lowercase().as_str());
        if !change_type.split(',').all(is_change) {
            return Err(self.invalid("changeType", "not a list of created, updated, deleted"));
        }
        let resource = self.required("resource")?;
        let normalized = normalized_resource(&resource);
        if normalized != "users" && normalized.strip_prefix("users/").is_none_or(|id| Uuid::try_parse(id).is_err()) {
            return Err(self.state.refuse(self.call, "subscription_resource", &[]));
        }
        let client_state = self.text("clientState")?;
        if client_state.as_ref().is_some_and(|state| state.chars().count() > LONGEST_CLIENT_STATE) {
            return Err(self.invalid("clientState", "longer than 128 characters"));
        }
        let tls = self.text("latestSupportedTlsVersion")?.unwrap_or_else(|| "v1_2".into());
        if !["v1_0", "v1_1", "v1_2", "v1_3"].contains(&tls.as_str()) {
            return Err(self.invalid("latestSupportedTlsVersion", "not a known version"));
        }
        Ok(SimSubscription {
            id: self.state.model.dice.guid(),
            application_id: caller.app_id,
            resource,
            change_type,
            notification_url: self.url("notificationUrl")?.ok_or_else(|| self.missing("notificationUrl"))?,
            lifecycle_notification_url: self.url("lifecycleNotificationUrl")?,
            expires: self.expiry()?,
            client_state,
            latest_supported_tls_version: tls,
            renewed: None,
            reauthorized: None,
            authorized_until: None,
            reminder: None,
        })
    }

    /// What an update makes of a subscription: only its expiry and its URL can change.
    pub(crate) fn updated(&self, before: &SimSubscription) -> ApiResult<SimSubscription> {
        let changeable = ["expirationDateTime", "notificationUrl"];
        let mut fixed = self.members.keys().filter(|name| !name.contains('@') && !changeable.contains(&name.as_str()));
        if let Some(field) = fixed.next() {
            return Err(self.state.refuse(self.call, "subscription_field_read_only", &[("field", field)]));
        }
        let mut after = before.clone();
        if self.members.contains_key("expirationDateTime") {
            after.expires = self.expiry()?;
        } else if !self.members.contains_key("notificationUrl") {
            return Err(self.missing("expirationDateTime"));
        }
        if let Some(url) = self.url("notificationUrl")? {
            after.notification_url = url;
        }
        Ok(after)
    }

    fn check_members(&self) -> ApiResult<()> {
        if let Some(field) = WEB_PUSH_MEMBERS.into_iter().find(|name| self.members.contains_key(*name)) {
            return Err(self.invalid(field, "only for Web Push"));
        }
        if let Some(unknown) = self.members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            let fill = [("property", unknown.as_str()), ("type", "microsoft.graph.subscription")];
            return Err(self.state.refuse(self.call, "body_member_unknown", &fill));
        }
        if self.members.get("includeResourceData").is_some_and(|value| *value != json!(false)) {
            return Err(self.state.refuse(self.call, "subscription_rich", &[]));
        }
        Ok(())
    }

    fn missing(&self, field: &str) -> ApiResponse {
        self.state.refuse(self.call, "subscription_field_missing", &[("field", field)])
    }

    fn invalid(&self, field: &str, reason: &str) -> ApiResponse {
        self.state.refuse(self.call, "subscription_field_invalid", &[("field", field), ("reason", reason)])
    }

    fn text(&self, field: &str) -> ApiResult<Option<String>> {
        match self.members.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.invalid(field, "not a string")),
        }
    }

    fn required(&self, field: &str) -> ApiResult<String> {
        self.text(field)?.ok_or_else(|| self.missing(field))
    }

    /// HTTPS, or where events go, or HTTP to a loopback address, which only the simulator allows.
    fn url(&self, field: &str) -> ApiResult<Option<String>> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        if is_event_destination(&text) {
            return Ok(Some(text));
        }
        let url = Url::parse(&text).map_err(|_| self.invalid(field, "not a URL"))?;
        let is_loopback = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        let is_allowed = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
        if is_allowed { Ok(Some(text)) } else { Err(self.invalid(field, "not an HTTPS URL")) }
    }

    fn expiry(&self) -> ApiResult<Timestamp> {
        let wanted: Result<Timestamp, _> = self.required("expirationDateTime")?.parse();
        let wanted = wanted.map_err(|_| self.invalid("expirationDateTime", "not a time with an offset"))?;
        let now = self.state.now();
        if wanted > now + LONGEST {
            return Err(self.state.refuse(self.call, "subscription_expiry_too_far", &[]));
        }
        Ok(in_ticks(wanted.max(now + SHORTEST)))
    }
}

/// Graph keeps times in steps of 100 nanoseconds.
fn in_ticks(time: Timestamp) -> Timestamp {
    Timestamp::from_nanosecond(time.as_nanosecond() / 100 * 100).unwrap_or(time)
}
