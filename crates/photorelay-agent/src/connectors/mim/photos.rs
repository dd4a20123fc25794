//! The photo files of the feed, named by their digests. One that does not hash to its name counts as missing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::id::Digest;

use super::FeedError;
use crate::connectors::files::{read_limited, write_whole};

/// No rendition is larger.
pub(super) const MAX_PHOTO_BYTES: u64 = 1024 * 1024;

pub(super) fn photo_path(feed: &Path, photo: Digest) -> PathBuf {
    let name = photo.to_string();
    feed.join("photos").join(&name[..2]).join(format!("{name}.jpg"))
}

/// None if the file is missing, damaged or too large.
pub(super) fn read_photo(feed: &Path, photo: Digest) -> Result<Option<Bytes>, FeedError> {
    let path = photo_path(feed, photo);
    let bytes = match read_limited(&path, MAX_PHOTO_BYTES) {
        Ok(bytes) => bytes.filter(|bytes| Digest::of(bytes) == photo),
        Err(error) if error.kind() == std::io::ErrorKind::Other => None,
        Err(error) => return Err(FeedError::file(&path)(error)),
    };
    if bytes.is_none() {
        tracing::warn!(path = %path.display(), "a photo of the feed is missing or damaged: it is written again");
    }
    Ok(bytes)
}

/// The file is there and complete when this returns, and young enough not to be cleaned up.
pub(super) fn write_photo(feed: &Path, photo: &Bytes) -> Result<(), FeedError> {
    let digest = Digest::of(photo);
    let path = photo_path(feed, digest);
    let failed = FeedError::file(&path);
    if path.is_file() && read_photo(feed, digest)?.is_some() {
        return touch(&path, Timestamp::now().as_second()).map_err(failed);
    }
    create_folder(path.parent().unwrap_or(feed))?;
    write_whole(&path, photo).map_err(failed)
}

pub(super) fn create_folder(folder: &Path) -> Result<(), FeedError> {
    fs::create_dir_all(folder).map_err(FeedError::file(folder))
}

/// Files are cleaned up so long after they were last touched.
pub(super) fn touch(path: &Path, now: i64) -> std::io::Result<()> {
    File::options().append(true).open(path)?.set_modified(time(now))
}

/// Unix time in seconds, as files have it.
pub(super) fn time(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}
