//! Uploading and deleting photos. An upload is re-encoded, so what is downloaded is never what was uploaded.

use crate::config::roles::WRITE_PHOTOS;
use crate::locked::locked;
use crate::model::{SimPhoto, SimPhotoSource};

use super::{ApiCall, ApiResponse, ApiResult, ApiState, Caller};

pub(crate) const LARGEST_UPLOAD: usize = 4 << 20;

/// `PUT` or `PATCH photo/$value`.
pub(crate) async fn put(state: &ApiState, call: &ApiCall, caller: &Caller, key: &str) -> ApiResult {
    may_write(state, caller)?;
    state.require_media_type(call, "image/jpeg")?;
    if call.body.len() > LARGEST_UPLOAD {
        return Err(state.refuse(call, "photo_too_large", &[]));
    }
    let index = state.find_user(key)?;
    let tenant = state.tenant();
    let (studio, body, noise) = (state.model.studio.clone(), call.body.clone(), tenant.upload_noise());
    let content = state.tasks.spawn_blocking(move || studio.upload(&body, noise)).await;
    let content = content.ok().and_then(Result::ok).ok_or_else(|| state.refuse(call, "photo_not_an_image", &[]))?;
    tenant.show(index, SimPhoto::Present(content));
    Ok(ApiResponse::empty(200))
}

/// `DELETE photo/$value`.
pub(crate) fn delete(state: &ApiState, caller: &Caller, key: &str) -> ApiResult {
    may_write(state, caller)?;
    let index = state.find_user(key)?;
    if matches!(locked(&state.model.directory).photo(index).photo, SimPhoto::Absent(_)) {
        return Err(state.error("photo_image_not_found", &[]));
    }
    state.tenant().show(index, SimPhoto::Absent(None));
    Ok(ApiResponse::empty(200))
}

/// Photos that come from on premises are not changed in the cloud.
fn may_write(state: &ApiState, caller: &Caller) -> ApiResult<()> {
    state.require(caller, &WRITE_PHOTOS)?;
    match locked(&state.model.photo_settings).source {
        Some(SimPhotoSource::OnPremises) => Err(state.error("photo_updates_disabled", &[])),
        _ => Ok(()),
    }
}
