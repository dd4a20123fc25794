//! `photoUpdateSettings` of the tenant: whether photos are changed in the cloud or come from on premises.
//!
//! Exists below `/beta` only. <https://learn.microsoft.com/graph/api/resources/photoupdatesettings>

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::auth::Caller;
use crate::config::roles;
use crate::inner::Inner;
use crate::locked;
use crate::wire::{Answer, Call};

/// The tenant's settings; a tenant that never set them shows no source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhotoUpdateSettings {
    #[serde(default)]
    pub source: Option<PhotoSource>,
    /// Ids of role templates.
    #[serde(default)]
    pub allowed_roles: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PhotoSource {
    Cloud,
    OnPremises,
}

pub(crate) fn get(inner: &Inner, caller: &Caller) -> Result<Answer, Answer> {
    caller.require(inner, &[roles::PEOPLE_SETTINGS_READ, roles::PEOPLE_SETTINGS_WRITE])?;
    Ok(shown(inner))
}

pub(crate) fn update(inner: &Inner, call: &Call, caller: &Caller) -> Result<Answer, Answer> {
    caller.require(inner, &[roles::PEOPLE_SETTINGS_WRITE])?;
    if call.media_type() != "application/json" {
        return Err(inner.refuse(call, "media_type", &[("type", &call.media_type())]));
    }
    let refused = || inner.refuse(call, "body_invalid", &[]);
    let changes: serde_json::Map<String, Value> = serde_json::from_slice(&call.body).map_err(|_| refused())?;
    let mut merged = json!(*locked(&inner.photo_settings));
    for (name, value) in changes.into_iter().filter(|(name, _)| name != "@odata.type") {
        merged[name.as_str()] = value;
    }
    let merged: PhotoUpdateSettings = serde_json::from_value(merged).map_err(|_| refused())?;
    *locked(&inner.photo_settings) = merged;
    Ok(shown(inner))
}

fn shown(inner: &Inner) -> Answer {
    let mut body = json!(*locked(&inner.photo_settings));
    body["@odata.context"] = json!(format!("{}/beta/$metadata#admin/people/photoUpdateSettings/$entity", inner.url));
    body["id"] = json!("photoUpdateSettings");
    Answer::json(200, body)
}

/// With the photos of on premises, nobody changes one in the cloud.
pub(crate) fn may_change(inner: &Inner) -> Result<(), Answer> {
    match locked(&inner.photo_settings).source {
        Some(PhotoSource::OnPremises) => Err(inner.error("photo_updates_disabled", &[])),
        _ => Ok(()),
    }
}
