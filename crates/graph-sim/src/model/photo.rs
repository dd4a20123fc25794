//! What one person shows as photo, now and before.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::pictures::{Picture, Studio};

use super::no_photo::NoPhoto;

/// A photo, or its absence in a given shape or in the one that the settings name.
#[derive(Debug, Clone)]
pub(crate) enum SimPhoto {
    Present(Picture),
    Absent(Option<NoPhoto>),
}

/// What a person showed from one change to the next.
#[derive(Debug, Clone)]
pub(crate) struct PhotoRecord {
    pub(crate) tag: u32,
    pub(crate) header_seed: u64,
    pub(crate) fetched: u32,
    pub(crate) photo: SimPhoto,
}

impl PhotoRecord {
    /// `@odata.mediaEtag`, which includes its own quotes.
    pub(crate) fn media_etag(&self) -> String {
        match self.photo {
            SimPhoto::Present(_) => format!("\"{:08X}\"", self.tag),
            SimPhoto::Absent(_) => String::new(),
        }
    }

    /// The `ETag` header of `$value`: it looks like a SHA-256 but is not one of the bytes.
    pub(crate) fn header_etag(&self, edge: u32) -> String {
        let digest = Sha256::digest(format!("{} {edge}", self.header_seed));
        format!("W/\"{}\"", hex(&digest))
    }
}

/// The photos of one person.
#[derive(Debug, Clone)]
pub(crate) struct PhotoLog {
    /// Never empty; the last one is shown now.
    records: Vec<PhotoRecord>,
    library_version: u64,
}

impl PhotoLog {
    pub(crate) fn new(first: PhotoRecord) -> Self {
        Self { records: vec![first], library_version: 0 }
    }

    pub(crate) fn current(&self) -> &PhotoRecord {
        &self.records[self.records.len() - 1]
    }

    pub(crate) fn current_mut(&mut self) -> &mut PhotoRecord {
        let last = self.records.len() - 1;
        &mut self.records[last]
    }

    pub(crate) fn records(&self) -> &[PhotoRecord] {
        &self.records
    }

    pub(crate) fn push(&mut self, record: PhotoRecord) {
        self.records.push(record);
    }

    /// The number of the next library picture.
    pub(crate) fn next_version(&mut self) -> u64 {
        self.library_version += 1;
        self.library_version
    }
}

/// One entry of a person's photo history.
#[derive(Debug, Clone)]
pub struct ShownPhoto {
    /// With its quotes; empty when there was no photo.
    pub media_etag: String,
    /// How often `$value` of it was answered.
    pub fetched: u32,
    content: Option<Picture>,
    studio: Arc<Studio>,
}

impl ShownPhoto {
    pub(crate) fn new(record: &PhotoRecord, studio: &Arc<Studio>) -> Self {
        let content = match &record.photo {
            SimPhoto::Present(content) => Some(content.clone()),
            SimPhoto::Absent(_) => None,
        };
        Self { media_etag: record.media_etag(), fetched: record.fetched, content, studio: studio.clone() }
    }

    pub fn is_photo(&self) -> bool {
        self.content.is_some()
    }

    /// What `GET photo/$value` answered while this was shown; `None` for no photo.
    pub fn bytes(&self) -> Option<Bytes> {
        let content = self.content.as_ref()?;
        self.studio.bytes(content, self.studio.largest(content).0).ok()
    }

    /// SHA-256 of [`Self::bytes`] in lower-case hex.
    pub fn sha256(&self) -> Option<String> {
        Some(hex(&Sha256::digest(self.bytes()?)))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
