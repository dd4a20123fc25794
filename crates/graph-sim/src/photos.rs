//! The photo endpoints: metadata, bytes, upload and removal.
//!
//! An upload is re-encoded and its metadata lost, so what is downloaded is never what was uploaded. All of Graph's
//! shapes of "no photo" come from here.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::auth::{Caller, READ_PHOTOS, WRITE_PHOTOS};
use crate::delivery;
use crate::directory::Record;
use crate::inner::Inner;
use crate::locked;
use crate::no_photo::NoPhoto;
use crate::photo_settings;
use crate::pictures::{Content, OFFICIAL, Studio};
use crate::wire::{Answer, Call};

pub(crate) const LARGEST_UPLOAD: usize = 4 << 20;

/// `GET photo` and `GET photos/{size}`.
pub(crate) fn metadata(
    inner: &Inner,
    call: &Call,
    caller: &Caller,
    key: &str,
    size: Option<&str>,
) -> Result<Answer, Answer> {
    caller.require(inner, &READ_PHOTOS)?;
    let edge = wanted_edge(inner, call, size)?;
    let (record, id) = looked_up(inner, call, key)?;
    let content = match &record.what {
        Ok(content) => content,
        Err(shape) => return no_metadata(inner, &id, shape_of(inner, &id, *shape)),
    };
    let (width, height) = rendition(inner, content, edge)?;
    let mut body = described(inner, &id, &record, content, width, height);
    let place = if edge.is_some() { format!("photos/{width}x{height}") } else { "photo".to_owned() };
    body["@odata.context"] = json!(format!("{}/v1.0/$metadata#users('{id}')/{place}/$entity", inner.url));
    Ok(Answer::json(200, body).with("Cache-Control", "private"))
}

/// `GET photos`.
pub(crate) fn all(inner: &Inner, call: &Call, caller: &Caller, key: &str) -> Result<Answer, Answer> {
    caller.require(inner, &READ_PHOTOS)?;
    let (record, id) = looked_up(inner, call, key)?;
    let content = match &record.what {
        Ok(content) => content,
        Err(shape) => {
            let shape = shape_of(inner, &id, *shape);
            let one = one_by_one(shape).ok_or_else(|| inner.error(shape.answer(), &[]))?;
            return Ok(Answer::json(200, json!({ "value": [one] })));
        }
    };
    let sizes = inner.studio.sizes(content);
    let value: Vec<Value> =
        sizes.into_iter().map(|(width, height)| described(inner, &id, &record, content, width, height)).collect();
    let context = format!("{}/v1.0/$metadata#users('{id}')/photos", inner.url);
    Ok(Answer::json(200, json!({ "@odata.context": context, "value": value })).with("Cache-Control", "private"))
}

/// `GET photo/$value` and `GET photos/{size}/$value`.
pub(crate) async fn value(
    inner: &Arc<Inner>,
    call: &Call,
    caller: &Caller,
    key: &str,
    size: Option<&str>,
) -> Result<Answer, Answer> {
    caller.require(inner, &READ_PHOTOS)?;
    let edge = wanted_edge(inner, call, size)?;
    let (record, id) = looked_up(inner, call, key)?;
    let content = match record.what.clone() {
        Ok(content) => content,
        Err(shape) => {
            return match shape_of(inner, &id, shape) {
                NoPhoto::EmptyBody => Ok(Answer::media("image/jpeg", Bytes::new())),
                shape => Err(inner.error(shape.answer(), &[])),
            };
        }
    };
    let (width, _) = rendition(inner, &content, edge)?;
    let etag = record.header_etag(width);
    if inner.settings().honour_if_none_match && call.header("if-none-match") == Some(etag.as_str()) {
        return Ok(Answer::empty(304).with("ETag", etag));
    }
    let content_type = inner.studio.content_type(&content).to_owned();
    let bytes = match inner.studio.cached(&content, width) {
        Some(bytes) => bytes,
        None => {
            let studio = inner.studio.clone();
            let made = inner.tasks.spawn_blocking(move || studio.bytes(&content, width)).await;
            made.ok().and_then(Result::ok).ok_or_else(|| inner.error("server_error", &[]))?
        }
    };
    note_fetch(inner, key, &record);
    Ok(Answer::media(&content_type, bytes).with("ETag", etag).with("Cache-Control", "private"))
}

/// `PUT` or `PATCH photo/$value`.
pub(crate) async fn put(inner: &Arc<Inner>, call: &Call, caller: &Caller, key: &str) -> Result<Answer, Answer> {
    caller.require(inner, &WRITE_PHOTOS)?;
    photo_settings::may_change(inner)?;
    let media_type = call.media_type();
    if media_type != "image/jpeg" {
        return Err(inner.refuse(call, "media_type", &[("type", &media_type)]));
    }
    if call.body.len() > LARGEST_UPLOAD {
        return Err(inner.refuse(call, "photo_too_large", &[]));
    }
    let index = found(inner, key)?;
    let noise = upload_noise(inner);
    let (studio, body) = (inner.studio.clone(), call.body.clone());
    let content = inner.tasks.spawn_blocking(move || studio.upload(&body, noise)).await;
    let content = content.ok().and_then(Result::ok).ok_or_else(|| inner.refuse(call, "photo_not_an_image", &[]))?;
    change(inner, index, Ok(content));
    Ok(Answer::empty(200))
}

/// `DELETE photo/$value`.
pub(crate) fn delete(inner: &Arc<Inner>, _call: &Call, caller: &Caller, key: &str) -> Result<Answer, Answer> {
    caller.require(inner, &[crate::config::roles::USER_WRITE, crate::config::roles::PHOTO_WRITE])?;
    photo_settings::may_change(inner)?;
    let index = found(inner, key)?;
    let shape = locked(&inner.directory).shown(index, &inner.studio).what.as_ref().err().copied();
    if shape.is_some() {
        return Err(inner.error("photo_image_not_found", &[]));
    }
    change(inner, index, Err(None));
    Ok(Answer::empty(200))
}

/// Shows something else from now on and raises what the settings say about it.
pub(crate) fn change(inner: &Arc<Inner>, index: usize, what: Result<Content, Option<NoPhoto>>) {
    let settings = inner.settings();
    let id = {
        let mut directory = locked(&inner.directory);
        directory.show(index, &inner.studio, what, inner.now(), settings.etags_return);
        directory.people[index].user.id
    };
    delivery::photo_changed(inner, id);
}

/// Zero unless uploads are to be re-encoded differently every time.
pub(crate) fn upload_noise(inner: &Inner) -> u64 {
    if inner.settings().reencode_noise { locked(&inner.dice).u64(1..) } else { 0 }
}

fn found(inner: &Inner, key: &str) -> Result<usize, Answer> {
    locked(&inner.directory).find(key).ok_or_else(|| inner.error("user_unknown", &[("key", key)]))
}

/// What the person shows and the person's id, unless this read is to fail falsely.
fn looked_up(inner: &Inner, call: &Call, key: &str) -> Result<(Record, String), Answer> {
    let index = found(inner, key)?;
    let (record, id) = {
        let mut directory = locked(&inner.directory);
        (directory.shown(index, &inner.studio).clone(), directory.people[index].user.id.to_string())
    };
    if call.in_batch && inner.chance(inner.settings().false_not_found_in_batch) {
        return Err(inner.error("photo_image_not_found", &[]));
    }
    Ok((record, id))
}

fn note_fetch(inner: &Inner, key: &str, record: &Record) {
    let mut directory = locked(&inner.directory);
    if let Some(index) = directory.find(key) {
        let shown = directory.shown(index, &inner.studio);
        if shown.at == record.at && shown.tag == record.tag {
            shown.fetched += 1;
        }
    }
}

/// The person's own shape, else the configured one, else one that follows from the person.
fn shape_of(inner: &Inner, id: &str, own: Option<NoPhoto>) -> NoPhoto {
    let by_person = || NoPhoto::ALL[id.bytes().map(usize::from).sum::<usize>() % NoPhoto::ALL.len()];
    own.or(inner.settings().no_photo).unwrap_or_else(by_person)
}

fn no_metadata(inner: &Inner, id: &str, shape: NoPhoto) -> Result<Answer, Answer> {
    let mut body = one_by_one(shape).ok_or_else(|| inner.error(shape.answer(), &[]))?;
    body["@odata.context"] = json!(format!("{}/v1.0/$metadata#users('{id}')/photo/$entity", inner.url));
    Ok(Answer::json(200, body))
}

fn one_by_one(shape: NoPhoto) -> Option<Value> {
    let is_one = matches!(shape, NoPhoto::OneByOne | NoPhoto::EmptyBody);
    is_one.then(|| json!({ "@odata.mediaContentType": "image/gif", "@odata.mediaEtag": "", "id": "1x1", "width": 1, "height": 1 }))
}

fn described(inner: &Inner, id: &str, record: &Record, content: &Content, width: u32, height: u32) -> Value {
    json!({
        "@odata.id": format!("https://graph.microsoft.com/v1.0/users('{id}@{}')/photo", inner.config.tenant_id),
        "@odata.mediaContentType": inner.studio.content_type(content),
        "@odata.mediaEtag": record.media_etag(),
        "id": format!("{width}x{height}"), "width": width, "height": height,
    })
}

/// The official edge that was asked for. Sizes are compared without regard to case.
fn wanted_edge(inner: &Inner, call: &Call, size: Option<&str>) -> Result<Option<u32>, Answer> {
    let Some(size) = size else { return Ok(None) };
    let edges = size.split_once(['x', 'X']).and_then(|(w, h)| Some((w.parse::<u32>().ok()?, h.parse::<u32>().ok()?)));
    match edges {
        Some((width, height)) if width == height && OFFICIAL.contains(&width) => Ok(Some(width)),
        _ => Err(inner.refuse(call, "photo_size_invalid", &[("size", size)])),
    }
}

/// Width and height of the rendition, or "not found" for a size above the uploaded one.
fn rendition(inner: &Inner, content: &Content, edge: Option<u32>) -> Result<(u32, u32), Answer> {
    let largest = Studio::largest(&inner.studio, content);
    match edge {
        None => Ok(largest),
        Some(edge) if edge <= largest.0.min(largest.1) => Ok((edge, edge)),
        Some(_) => Err(inner.error("photo_image_not_found", &[])),
    }
}
