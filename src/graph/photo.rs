//! Photos: what Graph says about one, and its bytes.
//!
//! "No photo" has many shapes, which are all `Absent` here; callers decide whether to believe it. What does not clearly
//! come from Graph is never read as "no photo".

use bytes::Bytes;
use photorelay_core::id::UserId;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;

use super::client::Graph;
use super::error::GraphError;
use super::log_text::fit_for_logs;
use super::request::{Priority, Request};
use super::response::{ItemBody, ItemResponse, ResponseBody};

/// What Graph itself accepts as an upload.
pub const MAX_PHOTO_BYTES: u64 = 4 * 1024 * 1024;

pub(super) const NEEDS: &str = "ProfilePhoto.Read.All or User.Read.All";
pub(super) const FETCH_PHOTO: &str = "fetch the photo";
/// The name of the request that [`Graph::photo_states`] makes, in errors.
pub const READ_PHOTO_METADATA: &str = "read photo metadata";
/// It becomes a metadata value of a blob.
const MAX_ETAG_CHARS: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhotoState {
    /// An equal ETag means "unchanged", another one "maybe changed". It keeps the quotes that Graph gives it.
    Present {
        media_etag: String,
    },
    /// No photo, or none right now; `shape` is Graph's answer in short, for logs.
    Absent {
        shape: String,
    },
    NoSuchUser,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchedPhoto {
    Photo {
        bytes: Bytes,
        content_type: Option<String>,
    },
    Absent {
        shape: String,
    },
    NoSuchUser,
    /// Not read to the end; `bytes` is what Graph announced, if it did.
    TooLarge {
        bytes: Option<u64>,
    },
}

#[derive(Deserialize)]
struct WirePhoto {
    id: Option<String>,
    width: Option<u64>,
    height: Option<u64>,
    #[serde(rename = "@odata.mediaEtag", default, deserialize_with = "present")]
    media_etag: Option<Option<String>>,
}

/// Distinguishes a null member from a missing one.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Graph {
    /// What Graph says about the photos of up to [`MAX_BATCH`](super::MAX_BATCH) users, in one request.
    pub async fn photo_states(
        &self,
        users: &[UserId],
        priority: Priority,
    ) -> Result<Vec<(UserId, Result<PhotoState, GraphError>)>, GraphError> {
        let items =
            self.batch(READ_PHOTO_METADATA, NEEDS, users, priority, |user| format!("/users/{user}/photo")).await?;
        Ok(items.into_iter().map(|(user, item)| (user, item.and_then(state))).collect())
    }

    /// What Graph says about one user's photo.
    pub async fn photo_state(&self, user: UserId) -> Result<PhotoState, GraphError> {
        let url = self.transport.url(&["users", &user.to_string(), "photo"]);
        let request = Request::new(READ_PHOTO_METADATA, NEEDS, Method::GET, url).about(user);
        state(self.transport.send(request).await?.into_item())
    }

    /// The largest photo that Graph has, never more than [`MAX_PHOTO_BYTES`].
    pub async fn photo(&self, user: UserId) -> Result<FetchedPhoto, GraphError> {
        let url = self.transport.url(&["users", &user.to_string(), "photo", "$value"]);
        let request = Request::new(FETCH_PHOTO, NEEDS, Method::GET, url).about(user).media(MAX_PHOTO_BYTES);
        let answer = self.transport.send(request).await?;
        if !answer.status.is_success() {
            return Ok(match missing(answer.into_item())? {
                Missing::User => FetchedPhoto::NoSuchUser,
                Missing::Photo { shape } => FetchedPhoto::Absent { shape },
            });
        }
        let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(media_type);
        if let Some(other) = content_type.as_deref().filter(|media_type| !may_be_photo(media_type)) {
            return Err(answer.bad(format!("a photo of type {}", fit_for_logs(other))));
        }
        Ok(match answer.body {
            ResponseBody::TooLarge { announced } => FetchedPhoto::TooLarge { bytes: announced },
            ResponseBody::Whole(bytes) if bytes.is_empty() => {
                FetchedPhoto::Absent { shape: format!("{} without bytes", answer.status.as_u16()) }
            }
            ResponseBody::Whole(bytes) => FetchedPhoto::Photo { bytes, content_type },
        })
    }
}

fn state(item: ItemResponse) -> Result<PhotoState, GraphError> {
    if !(200..300).contains(&item.status) {
        return Ok(match missing(item)? {
            Missing::User => PhotoState::NoSuchUser,
            Missing::Photo { shape } => PhotoState::Absent { shape },
        });
    }
    let absent = |how: &str| Ok(PhotoState::Absent { shape: format!("{} {how}", item.status) });
    let photo = match &item.body {
        ItemBody::Empty => return absent("without a body"),
        ItemBody::Other => return Err(item.bad("no JSON")),
        ItemBody::Json(json) => {
            serde_json::from_str::<WirePhoto>(json.get()).map_err(|_| item.bad("JSON of another form than promised"))?
        }
    };
    let one_pixel = photo.id.is_some_and(|id| id.eq_ignore_ascii_case("1x1"))
        || (photo.width == Some(1) && photo.height == Some(1));
    if one_pixel {
        return absent("of one pixel");
    }
    match photo.media_etag {
        None => Err(item.bad("no media ETag")),
        Some(None) => absent("with an empty media ETag"),
        Some(Some(etag)) if etag.trim_matches(['"', ' ']).is_empty() => absent("with an empty media ETag"),
        Some(Some(etag)) if etag.len() > MAX_ETAG_CHARS || !etag.bytes().all(|b| matches!(b, b' '..=b'~')) => {
            Err(item.bad("a media ETag that cannot be kept"))
        }
        Some(Some(media_etag)) => Ok(PhotoState::Present { media_etag }),
    }
}

enum Missing {
    Photo { shape: String },
    User,
}

/// Reads an answer that is not a photo.
fn missing(item: ItemResponse) -> Result<Missing, GraphError> {
    match item.status {
        404 if !item.is_from_graph => Err(item.bad("a 404 that does not come from Graph")),
        404 if item.trace.code.as_deref() == Some("Request_ResourceNotFound") => Ok(Missing::User),
        404 => Ok(Missing::Photo { shape: item.trace.shape() }),
        _ => Err(item.into_error()),
    }
}

/// Without parameters, lower case.
pub(super) fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether bytes of this declared type may be a photo; the decoder finds out what they really are.
pub(super) fn may_be_photo(media_type: &str) -> bool {
    media_type.starts_with("image/") || matches!(media_type, "" | "application/octet-stream" | "binary/octet-stream")
}
