//! Where the files of a folder target are, and how large they may be.

use std::path::{Path, PathBuf};

/// Files larger than this were not written by us, and are not read.
pub(super) const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Where the connector keeps what it needs for itself.
pub(super) fn own(folder: &Path, what: &str) -> PathBuf {
    folder.join(".photorelay").join(what)
}
