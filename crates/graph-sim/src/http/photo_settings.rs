//! `photoUpdateSettings` of the tenant, which exists below `/beta` only.

use serde_json::{Map, Value, json};

use crate::config::roles;
use crate::locked::locked;
use crate::model::SimPhotoSettings;

use super::{ApiCall, ApiResponse, ApiResult, ApiState, Caller};

pub(crate) fn get(state: &ApiState, caller: &Caller) -> ApiResult {
    state.require(caller, &[roles::PEOPLE_SETTINGS_READ, roles::PEOPLE_SETTINGS_WRITE])?;
    Ok(shown(state))
}

pub(crate) fn update(state: &ApiState, call: &ApiCall, caller: &Caller) -> ApiResult {
    state.require(caller, &[roles::PEOPLE_SETTINGS_WRITE])?;
    state.require_media_type(call, "application/json")?;
    let refused = || state.refuse(call, "body_invalid", &[]);
    let changes: Map<String, Value> = serde_json::from_slice(&call.body).map_err(|_| refused())?;
    let mut merged = json!(*locked(&state.model.photo_settings));
    for (name, value) in changes.into_iter().filter(|(name, _)| name != "@odata.type") {
        merged[name.as_str()] = value;
    }
    let merged: SimPhotoSettings = serde_json::from_value(merged).map_err(|_| refused())?;
    *locked(&state.model.photo_settings) = merged;
    Ok(shown(state))
}

fn shown(state: &ApiState) -> ApiResponse {
    let mut body = json!(*locked(&state.model.photo_settings));
    body["@odata.context"] = json!(format!("{}/beta/$metadata#admin/people/photoUpdateSettings/$entity", state.url));
    body["id"] = json!("photoUpdateSettings");
    ApiResponse::json(200, body)
}
