//! The body of a create or an update of a subscription, judged member by member before anything is done.
//!
//! A member that Graph does not document is refused, so that a misspelt one is noticed.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use crate::auth::Caller;
use crate::handshake::is_for_events;
use crate::inner::Inner;
use crate::subscriptions::{Subscription, resource_of};
use crate::wire::{Answer, Call};

const SHORTEST: SignedDuration = SignedDuration::from_mins(45);
const LONGEST: SignedDuration = SignedDuration::from_mins(41_760);
const LONGEST_CLIENT_STATE: usize = 128;

const MEMBERS: [&str; 17] = [
    "changeType",
    "resource",
    "notificationUrl",
    "lifecycleNotificationUrl",
    "expirationDateTime",
    "clientState",
    "latestSupportedTlsVersion",
    "includeResourceData",
    "encryptionCertificate",
    "encryptionCertificateId",
    "notificationQueryOptions",
    "notificationUrlAppId",
    "notificationContentType",
    "vapidPublicKey",
    "webPushEncryptionP256dhPublicKey",
    "webPushEncryptionSecret",
    "@odata.type",
];

/// The body of a create or an update, judged member by member.
pub(crate) struct Wanted<'a> {
    inner: &'a Inner,
    call: &'a Call,
    pub(crate) body: Map<String, Value>,
}

impl<'a> Wanted<'a> {
    pub(crate) fn new(inner: &'a Inner, call: &'a Call, body: Map<String, Value>) -> Self {
        Self { inner, call, body }
    }

    pub(crate) fn subscription(&self, caller: &Caller) -> Result<Subscription, Answer> {
        if let Some(unknown) = self.body.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            let fill = [("property", unknown.as_str()), ("type", "microsoft.graph.subscription")];
            return Err(self.inner.refuse(self.call, "body_member_unknown", &fill));
        }
        if self.body.get("includeResourceData").is_some_and(|value| *value != json!(false)) {
            return Err(self.inner.refuse(self.call, "subscription_rich", &[]));
        }
        for field in ["vapidPublicKey", "webPushEncryptionP256dhPublicKey", "webPushEncryptionSecret"] {
            if self.body.contains_key(field) {
                return Err(self.invalid(field, "only for Web Push"));
            }
        }
        let change_type = self.text("changeType")?.ok_or_else(|| self.missing("changeType"))?;
        let kinds = ["created", "updated", "deleted"];
        if !change_type.split(',').all(|one| kinds.contains(&one.trim().to_lowercase().as_str())) {
            return Err(self.invalid("changeType", "not a list of created, updated, deleted"));
        }
        let resource = self.text("resource")?.ok_or_else(|| self.missing("resource"))?;
        let plain = resource_of(&resource);
        if plain != "users" && plain.strip_prefix("users/").is_none_or(|id| Uuid::try_parse(id).is_err()) {
            return Err(self.inner.refuse(self.call, "subscription_resource", &[]));
        }
        let client_state = self.text("clientState")?;
        if client_state.as_ref().is_some_and(|state| state.chars().count() > LONGEST_CLIENT_STATE) {
            return Err(self.invalid("clientState", "longer than 128 characters"));
        }
        let tls = self.text("latestSupportedTlsVersion")?.unwrap_or_else(|| "v1_2".into());
        if !["v1_0", "v1_1", "v1_2", "v1_3"].contains(&tls.as_str()) {
            return Err(self.invalid("latestSupportedTlsVersion", "not a known version"));
        }
        Ok(Subscription {
            id: self.inner.fresh_guid(),
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
            asked_next: None,
        })
    }

    pub(crate) fn missing(&self, field: &str) -> Answer {
        self.inner.refuse(self.call, "subscription_field_missing", &[("field", field)])
    }

    fn invalid(&self, field: &str, reason: &str) -> Answer {
        self.inner.refuse(self.call, "subscription_field_invalid", &[("field", field), ("reason", reason)])
    }

    fn text(&self, field: &str) -> Result<Option<String>, Answer> {
        match self.body.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.invalid(field, "not a string")),
        }
    }

    /// HTTPS, or where events go, or HTTP to a loopback address, which only the simulator allows.
    pub(crate) fn url(&self, field: &str) -> Result<Option<String>, Answer> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        if is_for_events(&text) {
            return Ok(Some(text));
        }
        let url = Url::parse(&text).map_err(|_| self.invalid(field, "not a URL"))?;
        let loopback = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        let allowed =
            url.scheme() == "https" || (url.scheme() == "http" && loopback && self.inner.settings().http_loopback);
        if allowed { Ok(Some(text)) } else { Err(self.invalid(field, "not an HTTPS URL")) }
    }

    pub(crate) fn expiry(&self) -> Result<Timestamp, Answer> {
        let text = self.text("expirationDateTime")?.ok_or_else(|| self.missing("expirationDateTime"))?;
        let wanted: Timestamp =
            text.parse().map_err(|_| self.invalid("expirationDateTime", "not a time with an offset"))?;
        let now = self.inner.now();
        if wanted > now + LONGEST {
            return Err(self.inner.refuse(self.call, "subscription_expiry_too_far", &[]));
        }
        Ok(in_ticks(wanted.max(now + SHORTEST)))
    }
}

/// Graph keeps times in steps of 100 nanoseconds.
fn in_ticks(time: Timestamp) -> Timestamp {
    Timestamp::from_nanosecond(time.as_nanosecond() / 100 * 100).unwrap_or(time)
}
