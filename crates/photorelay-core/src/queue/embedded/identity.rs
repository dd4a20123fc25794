//! Which file the queues are in, so that one that was deleted or replaced is noticed: SQLite itself goes on with a file
//! that has no name any more, and loses every message that it accepts.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// The queue file as it was when it was opened.
#[derive(Debug, Clone)]
pub(super) struct FileIdentity {
    path: PathBuf,
    number: FileNumber,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileNumber(u64, u64);

impl FileIdentity {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), number: FileNumber::of(&fs::metadata(path)?) })
    }

    /// On `Err`, the file is gone or another one.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match fs::metadata(&self.path) {
            Ok(metadata) if FileNumber::of(&metadata) == self.number => Ok(()),
            // Another failure says nothing about the file, and shows at what is done with it.
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
            _ => Err(StoreError::Lost { folder: self.path.parent().unwrap_or(&self.path).to_owned() }),
        }
    }
}

impl FileNumber {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(metadata.dev(), metadata.ino())
    }

    /// Other systems keep a file that is open from being deleted.
    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self(0, 0)
    }
}
