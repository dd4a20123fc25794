//! The addresses of pictures, and what they answer: a picture with the content type that its bytes have, or a drawing of
//! our own that stands in its place.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::store::list_all;

use super::picture_room::PictureContent;
use super::render::PageError;
use super::state::ConsoleState;

/// Where pages find a picture.
pub(super) fn photo_path(user: UserId, photo: Digest) -> String {
    format!("/photos/{}", names::photo(user, photo))
}

pub(super) fn rendition_path(user: UserId, photo: Digest, name: &str, rendition: Digest) -> String {
    format!("/photos/{}", names::rendition(user, photo, name, rendition))
}

/// A value that a target showed: one that was kept before it was replaced, or a rendition.
pub(super) fn before_path(user: UserId, value: Digest) -> String {
    format!("/before/{user}/{value}")
}

pub(super) async fn photo(
    State(console): State<Arc<ConsoleState>>,
    Path((user, photo)): Path<(String, String)>,
) -> Result<Response, PageError> {
    stored(&console, &format!("{user}/{photo}")).await
}

pub(super) async fn rendition(
    State(console): State<Arc<ConsoleState>>,
    Path((user, photo, rendition)): Path<(String, String, String)>,
) -> Result<Response, PageError> {
    stored(&console, &format!("{user}/{photo}/{rendition}")).await
}

async fn stored(console: &ConsoleState, name: &str) -> Result<Response, PageError> {
    let Some(sha256) = names::parse_photo_blob(name) else { return Err(no_such_picture()) };
    Ok(shown(console.pictures.find(Container::Photos, name, sha256).await?))
}

pub(super) async fn before(
    State(console): State<Arc<ConsoleState>>,
    Path((user, value)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let (Ok(user), Ok(value)) = (user.parse(), value.parse()) else { return Err(no_such_picture()) };
    let kept = console.pictures.find(Container::Receipts, &names::kept_value(user, value), value).await?;
    if !matches!(kept, PictureContent::Missing) {
        return Ok(shown(kept));
    }
    // What photorelay wrote itself is a rendition of an earlier photo, and not kept twice.
    let stored = list_all(&*console.storage.blobs, Container::Photos, &names::person_prefix(user)).await?;
    let own = stored.iter().find(|blob| names::parse_photo_blob(&blob.name) == Some(value));
    Ok(shown(match own {
        Some(blob) => console.pictures.find(Container::Photos, &blob.name, value).await?,
        None => kept,
    }))
}

fn no_such_picture() -> PageError {
    PageError::NotFound("There is no such picture.".to_owned())
}

fn shown(found: PictureContent) -> Response {
    let (status, content_type, bytes) = match found {
        PictureContent::Picture(format, bytes) => (StatusCode::OK, format.content_type(), bytes),
        PictureContent::Missing => (StatusCode::NOT_FOUND, SVG, drawing("no picture kept")),
        PictureContent::Changed => (StatusCode::CONFLICT, SVG, drawing("bytes were changed")),
        PictureContent::NotAPhoto => (StatusCode::UNPROCESSABLE_ENTITY, SVG, drawing("not a photo")),
    };
    let headers = [(header::CONTENT_TYPE, content_type), (header::CONTENT_DISPOSITION, "inline")];
    (status, headers, bytes).into_response()
}

const SVG: &str = "image/svg+xml";

/// Stands in the place of a picture that is not shown. `why` is a text of ours.
fn drawing(why: &'static str) -> Bytes {
    Bytes::from(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 96 96\" width=\"96\" height=\"96\">\
         <rect x=\"1\" y=\"1\" width=\"94\" height=\"94\" rx=\"6\" fill=\"#8881\" stroke=\"#888\" stroke-dasharray=\"4 3\"/>\
         <text x=\"48\" y=\"51\" text-anchor=\"middle\" font-family=\"sans-serif\" font-size=\"9\" fill=\"#888\">{why}</text>\
         </svg>"
    ))
}
