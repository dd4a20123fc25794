//! Reads a feed as any importer does: `current`, the manifest that it names, segments and photos, each checked by its
//! digest. It never changes a file, and never takes a part for the whole.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use photorelay_core::id::Digest;
use serde::Serialize;

use super::FeedError;
use super::format::{FeedHead, MAX_HEAD_BYTES, SegmentEntry, parse_manifest};
use super::line::{LineState, PersonLine};
use super::photos::{MAX_PHOTO_BYTES, photo_path};
use super::publish::{manifest_path, segment_path};
use crate::connectors::files::read_limited;

const MAX_MANIFEST_BYTES: u64 = 64 * 1024;
/// Of a segment: a tenant of ten million people has 10 MB in each.
const MAX_SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// One publication, pinned.
#[derive(Debug)]
pub struct FeedReader {
    feed: PathBuf,
    pub head: FeedHead,
    segments: Vec<SegmentEntry>,
}

/// What a publication consists of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedReport {
    pub people: u64,
    pub photos: u64,
    pub tombstones: u64,
    pub bytes: u64,
    /// Photo files that are missing, or are not what their names say.
    pub damaged: Vec<String>,
}

impl FeedReader {
    /// None if nothing was published yet.
    pub fn open(feed: &Path) -> Result<Option<Self>, FeedError> {
        let path = feed.join("current");
        let Some(text) = read_limited(&path, MAX_HEAD_BYTES).map_err(FeedError::file(&path))? else { return Ok(None) };
        let head = FeedHead::parse(&text).map_err(|problem| unusable(&path, &problem))?;
        let path = manifest_path(feed, &head.manifest_name());
        let manifest = whole(&path, MAX_MANIFEST_BYTES, head.manifest)?;
        let segments = parse_manifest(&manifest).map_err(|problem| unusable(&path, &problem))?;
        Ok(Some(Self { feed: feed.to_owned(), head, segments }))
    }

    /// Every line, one segment in memory at a time.
    pub fn for_each(&self, mut work: impl FnMut(PersonLine) -> Result<(), FeedError>) -> Result<(), FeedError> {
        for prefix in 0..=u8::MAX {
            let Some(digest) = self.segments[usize::from(prefix)].digest else { continue };
            let path = segment_path(&self.feed, prefix, digest);
            let text = whole(&path, MAX_SEGMENT_BYTES, digest)?;
            let text = std::str::from_utf8(&text).map_err(|_| unusable(&path, "it is not ASCII"))?;
            for line in text.lines() {
                work(PersonLine::parse(line).map_err(|problem| unusable(&path, &problem))?)?;
            }
        }
        Ok(())
    }

    /// The photo of a line, checked against its digest.
    pub fn photo(&self, photo: Digest) -> Result<Bytes, FeedError> {
        whole(&photo_path(&self.feed, photo), MAX_PHOTO_BYTES, photo)
    }

    /// Reads everything.
    pub fn verify(&self) -> Result<FeedReport, FeedError> {
        let mut report = FeedReport::default();
        self.for_each(|line| {
            match line.state {
                LineState::Gone => report.tombstones += 1,
                LineState::NoPhoto | LineState::Photo => report.people += 1,
            }
            if let Some(photo) = &line.photo {
                report.photos += 1;
                match self.photo(photo.digest) {
                    Ok(bytes) => report.bytes += bytes.len() as u64,
                    Err(error) => report.damaged.push(format!("user {}: {error}", line.user)),
                }
            }
            Ok(())
        })?;
        Ok(report)
    }
}

/// A file that has to be there, with just this content.
fn whole(path: &Path, limit: u64, digest: Digest) -> Result<Bytes, FeedError> {
    match read_limited(path, limit).map_err(FeedError::file(path))? {
        None => Err(unusable(path, "it is missing")),
        Some(bytes) if Digest::of(&bytes) != digest => Err(unusable(path, "it is not what its digest says")),
        Some(bytes) => Ok(bytes),
    }
}

fn unusable(path: &Path, problem: &str) -> FeedError {
    FeedError::Unusable(format!(
        "{}: {problem}. If the folder was copied, copy it again with `current` last; otherwise let the agent run, which \
         writes what is missing, or run `photorelay-agent mim rebuild`",
        path.display()
    ))
}
