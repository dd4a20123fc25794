//! Step 3: fetches the photo, together with others of the message if they come to this step at the same time, and takes
//! its digest. The bytes stay as Graph returned them.

use bytes::Bytes;
use photorelay_core::contract::Seen;
use photorelay_core::id::Digest;

use super::context::Reconciliation;
use super::journal::Step;
use super::outcome::ReconcileError;
use crate::graph::{BatchedAnswer, FetchedPhoto};

/// What the photo request returned.
pub(super) enum Fetched {
    Content(PhotoContent),
    Absent { shape: String },
    NoSuchUser,
}

pub(super) enum PhotoContent {
    Bytes {
        bytes: Bytes,
        sha256: Digest,
    },
    /// More than is ever read; there is nothing to take a digest of.
    TooLarge,
}

impl PhotoContent {
    pub(super) fn sha256(&self) -> Option<Digest> {
        match self {
            PhotoContent::Bytes { sha256, .. } => Some(*sha256),
            PhotoContent::TooLarge => None,
        }
    }

    /// As the trail records it.
    pub(super) fn seen(&self, media_etag: &str) -> Seen {
        Seen { sha256: self.sha256(), media_etag: Some(media_etag.to_owned()) }
    }
}

pub(super) async fn fetch(cx: &mut Reconciliation<'_>) -> Result<Fetched, ReconcileError> {
    let fetched = match cx.seats.photo.read(cx.user).await {
        BatchedAnswer::Known(bytes) => FetchedPhoto::Photo { bytes, content_type: None },
        BatchedAnswer::Failed(error) => return Err(error.into()),
        BatchedAnswer::Unclear => cx.graph.photo(cx.user).await?,
    };
    Ok(match fetched {
        FetchedPhoto::Photo { bytes, .. } => {
            let sha256 = Digest::of(&bytes);
            cx.journal.note(Step::Fetch, || format!("fetched {} bytes, SHA-256 {sha256}", bytes.len()));
            Fetched::Content(PhotoContent::Bytes { bytes, sha256 })
        }
        FetchedPhoto::TooLarge { .. } => {
            cx.journal.note(Step::Fetch, || "more bytes than a photo may have: not read".to_owned());
            Fetched::Content(PhotoContent::TooLarge)
        }
        FetchedPhoto::Absent { shape } => Fetched::Absent { shape },
        FetchedPhoto::NoSuchUser => Fetched::NoSuchUser,
    })
}
