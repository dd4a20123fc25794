//! Reads and writes heads. Their blob metadata holds what a listing needs: the ETag, the sequence number, whether the
//! head is settled, and any capture status other than active.
//!
//! An unreadable head must never be an error: it counts as lost and is rebuilt from the trail.

use crate::contract::{CaptureStatus, Head};
use crate::documents::{self, Document};
use crate::id::{Digest, UserId};
use crate::names::{self, Container};
use crate::store::{BlobStore, Metadata, StoreError};

/// Reads the head; `None` if it does not exist or cannot be read.
pub async fn read(blobs: &dyn BlobStore, user: UserId) -> Result<Option<Head>, StoreError> {
    Ok(match inspect(blobs, user).await? {
        Document::Valid(head) => Some(head),
        Document::Absent => None,
        Document::Unreadable(reason) => {
            tracing::warn!(user.id = %user, reason, "the head is unreadable and is rebuilt from the trail");
            None
        }
    })
}

/// Reads the head, and says why one that is there says nothing.
pub async fn inspect(blobs: &dyn BlobStore, user: UserId) -> Result<Document<Head>, StoreError> {
    Ok(match documents::inspect::<Head>(blobs, Container::State, &names::head(user)).await? {
        Document::Valid(head) if head.user_id != user => Document::Unreadable("it names another user".to_owned()),
        found => found,
    })
}

/// Replaces the head.
pub async fn write(blobs: &dyn BlobStore, head: &Head) -> Result<(), StoreError> {
    let mut metadata = Metadata::new();
    metadata.insert("seq".to_owned(), head.seq.to_string());
    metadata.insert("settled".to_owned(), head.settled.to_string());
    let capture_status = match head.capture_status {
        CaptureStatus::Active => None,
        CaptureStatus::OutOfScope { .. } => Some(OUT_OF_SCOPE),
        CaptureStatus::Parked { .. } => Some("parked"),
        CaptureStatus::Forgotten => Some(FORGOTTEN),
    };
    if let Some(capture_status) = capture_status {
        metadata.insert("standing".to_owned(), capture_status.to_owned());
    }
    if let Some(etag) = &head.media_etag {
        metadata.insert("etag".to_owned(), etag_metadata(etag));
    }
    documents::replace_with_metadata(blobs, Container::State, &names::head(head.user_id), head, &metadata).await
}

/// A head as a listing shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub seq: u32,
    /// As [`etag_metadata`] writes it; `None` forces a check whatever Graph returns.
    pub etag: Option<String>,
    pub settled: bool,
    pub out_of_scope: bool,
    pub forgotten: bool,
}

impl Summary {
    /// Reads the metadata of a listing. A missing or invalid value counts as unknown, which leads to a check.
    pub fn of(metadata: &Metadata) -> Self {
        let value = |name: &str| metadata.get(name).map(String::as_str);
        Self {
            seq: value("seq").and_then(|seq| seq.parse().ok()).unwrap_or(0),
            etag: value("etag").map(str::to_owned),
            settled: value("settled") == Some("true"),
            out_of_scope: value("standing") == Some(OUT_OF_SCOPE),
            forgotten: value("standing") == Some(FORGOTTEN),
        }
    }
}

const OUT_OF_SCOPE: &str = "outofscope";
const FORGOTTEN: &str = "forgotten";

/// A media ETag as blob metadata: unchanged if a header can carry it, its digest otherwise.
pub fn etag_metadata(etag: &str) -> String {
    let fits = !etag.is_empty() && etag.len() <= 256 && etag.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { etag.to_owned() } else { format!("sha256:{}", Digest::of(etag.as_bytes())) }
}
