//! Reading photos: metadata and bytes, in every size, and every shape of "no photo" that Graph has.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::config::roles::READ_PHOTOS;
use crate::locked::locked;
use crate::model::{NoPhoto, PhotoRecord, SimPhoto};
use crate::pictures::{OFFICIAL_EDGES, Picture};

use super::{ApiCall, ApiResponse, ApiResult, ApiState, Caller};

/// A person's photo as this call sees it.
struct PhotoView<'a> {
    state: &'a ApiState,
    index: usize,
    user_id: String,
    record: PhotoRecord,
}

/// `GET photo` and `GET photos/{size}`.
pub(crate) fn metadata(state: &ApiState, call: &ApiCall, caller: &Caller, key: &str, size: Option<&str>) -> ApiResult {
    state.require(caller, &READ_PHOTOS)?;
    let edge = requested_edge(state, call, size)?;
    let view = PhotoView::of(state, call, key)?;
    let context = |place: &str| view.context(&format!("{place}/$entity"));
    let content = match &view.record.photo {
        SimPhoto::Present(content) => content,
        SimPhoto::Absent(shape) => {
            let mut body = view.placeholder(*shape)?;
            body["@odata.context"] = context("photo");
            return Ok(ApiResponse::json(200, body));
        }
    };
    let (width, height) = served_size(state, content, edge)?;
    let mut body = view.described(content, width, height);
    let place = if edge.is_some() { format!("photos/{width}x{height}") } else { "photo".to_owned() };
    body["@odata.context"] = context(&place);
    Ok(ApiResponse::json(200, body).with("Cache-Control", "private"))
}

/// `GET photos`.
pub(crate) fn all(state: &ApiState, call: &ApiCall, caller: &Caller, key: &str) -> ApiResult {
    state.require(caller, &READ_PHOTOS)?;
    let view = PhotoView::of(state, call, key)?;
    let content = match &view.record.photo {
        SimPhoto::Present(content) => content,
        SimPhoto::Absent(shape) => return Ok(ApiResponse::json(200, json!({ "value": [view.placeholder(*shape)?] }))),
    };
    let sizes = state.model.studio.sizes(content).into_iter();
    let value: Vec<Value> = sizes.map(|(width, height)| view.described(content, width, height)).collect();
    let body = json!({ "@odata.context": view.context("photos"), "value": value });
    Ok(ApiResponse::json(200, body).with("Cache-Control", "private"))
}

/// `GET photo/$value` and `GET photos/{size}/$value`.
pub(crate) async fn value(
    state: &ApiState,
    call: &ApiCall,
    caller: &Caller,
    key: &str,
    size: Option<&str>,
) -> ApiResult {
    state.require(caller, &READ_PHOTOS)?;
    let edge = requested_edge(state, call, size)?;
    let view = PhotoView::of(state, call, key)?;
    let content = match &view.record.photo {
        SimPhoto::Present(content) => content,
        SimPhoto::Absent(shape) => {
            return match view.shape(*shape) {
                NoPhoto::EmptyBody => Ok(ApiResponse::media("image/jpeg", Bytes::new())),
                shape => Err(state.error(not_found(shape), &[])),
            };
        }
    };
    let (width, _) = served_size(state, content, edge)?;
    let etag = view.record.header_etag(width);
    if state.settings().honour_if_none_match && call.header("if-none-match") == Some(etag.as_str()) {
        return Ok(ApiResponse::empty(304).with("ETag", etag));
    }
    let bytes = photo_bytes(state, content, width).await?;
    view.count_fetch();
    let response = ApiResponse::media(content.content_type(), bytes);
    Ok(response.with("ETag", etag).with("Cache-Control", "private"))
}

impl<'a> PhotoView<'a> {
    /// Fails falsely as often as the settings say.
    fn of(state: &'a ApiState, call: &ApiCall, key: &str) -> ApiResult<Self> {
        let index = state.find_user(key)?;
        let (record, user_id) = {
            let directory = locked(&state.model.directory);
            (directory.photo(index), directory.user(index).id.to_string())
        };
        if call.in_batch && state.model.dice.chance(state.settings().false_not_found_in_batch) {
            return Err(state.error("photo_image_not_found", &[]));
        }
        Ok(Self { state, index, user_id, record })
    }

    fn context(&self, place: &str) -> Value {
        json!(format!("{}/v1.0/$metadata#users('{}')/{place}", self.state.url, self.user_id))
    }

    fn described(&self, content: &Picture, width: u32, height: u32) -> Value {
        let Self { state, user_id, .. } = self;
        json!({
            "@odata.id": format!("https://graph.microsoft.com/v1.0/users('{user_id}@{}')/photo", state.model.id),
            "@odata.mediaContentType": content.content_type(),
            "@odata.mediaEtag": self.record.media_etag(),
            "id": format!("{width}x{height}"), "width": width, "height": height,
        })
    }

    /// The person's own shape, else the one of the settings, else one that follows from the person.
    fn shape(&self, own: Option<NoPhoto>) -> NoPhoto {
        let by_person = || NoPhoto::ALL[self.user_id.bytes().map(usize::from).sum::<usize>() % NoPhoto::ALL.len()];
        own.or(self.state.settings().no_photo).unwrap_or_else(by_person)
    }

    /// The metadata that some shapes of absence show instead of 404.
    fn placeholder(&self, own: Option<NoPhoto>) -> ApiResult<Value> {
        match self.shape(own) {
            NoPhoto::OneByOne | NoPhoto::EmptyBody => Ok(json!({
                "@odata.mediaContentType": "image/gif", "@odata.mediaEtag": "", "id": "1x1", "width": 1, "height": 1,
            })),
            shape => Err(self.state.error(not_found(shape), &[])),
        }
    }

    fn count_fetch(&self) {
        locked(&self.state.model.directory).count_fetch(self.index, &self.record);
    }
}

/// Name of the 404 in `answers/errors.json`.
fn not_found(shape: NoPhoto) -> &'static str {
    match shape {
        NoPhoto::ImageNotFound | NoPhoto::OneByOne | NoPhoto::EmptyBody => "photo_image_not_found",
        NoPhoto::ImageNotFound2021 => "photo_image_not_found_2021",
        NoPhoto::EntityNotFound => "photo_entity_not_found",
        NoPhoto::ItemNotFound => "photo_item_not_found",
        NoPhoto::GetUserPhoto => "photo_get_user_photo",
        NoPhoto::ProfileNotFound => "photo_profile_not_found",
        NoPhoto::NoMailbox => "photo_no_mailbox",
    }
}

async fn photo_bytes(state: &ApiState, content: &Picture, width: u32) -> ApiResult<Bytes> {
    if let Some(bytes) = state.model.studio.cached(content, width) {
        return Ok(bytes);
    }
    let (studio, content) = (state.model.studio.clone(), content.clone());
    let made = state.tasks.spawn_blocking(move || studio.bytes(&content, width)).await;
    made.ok().and_then(Result::ok).ok_or_else(|| state.error("server_error", &[]))
}

/// The official edge that was asked for. Sizes are compared without regard to case.
fn requested_edge(state: &ApiState, call: &ApiCall, size: Option<&str>) -> ApiResult<Option<u32>> {
    let Some(size) = size else { return Ok(None) };
    let edges = size.split_once(['x', 'X']).and_then(|(w, h)| Some((w.parse::<u32>().ok()?, h.parse::<u32>().ok()?)));
    match edges {
        Some((width, height)) if width == height && OFFICIAL_EDGES.contains(&width) => Ok(Some(width)),
        _ => Err(state.refuse(call, "photo_size_invalid", &[("size", size)])),
    }
}

/// Width and height of what is served, or "not found" for a size above the uploaded one.
fn served_size(state: &ApiState, content: &Picture, edge: Option<u32>) -> ApiResult<(u32, u32)> {
    let largest = state.model.studio.largest(content);
    match edge {
        None => Ok(largest),
        Some(edge) if edge <= largest.0.min(largest.1) => Ok((edge, edge)),
        Some(_) => Err(state.error("photo_image_not_found", &[])),
    }
}
