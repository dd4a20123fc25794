//! Blobs as plain files in one folder: `DIR/<container>/<name>`, readable with any tool.
//!
//! The file system is the source of truth; there is no index that could disagree with it. The file of a blob without an
//! extension gets the suffix `.blob`, because its name may also be the folder of other blobs. Metadata is stored in a
//! hidden tree beside the containers. Several processes may use the same folder at once.
//!
//! This module must never expose a partial blob, and never return before a write would survive a power cut. It owns the
//! failure "the disk is full": it leaves nothing behind and reports the failure to the caller.

mod durable;
mod listing;
mod sidecar;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::rules::{PLAIN_SUFFIX, check_metadata, check_name, check_prefix};
use super::{BlobStore, Creation, Listing, Metadata, Page, StoreError};
use crate::names::Container;
use durable::Temporary;

/// The folder for files in progress. Hidden, and on the same file system as the containers.
const TEMPORARY_FOLDER: &str = ".tmp";
/// The age at which a leftover of a killed process may be removed.
const TEMPORARY_LIFETIME: Duration = Duration::from_secs(3600);

/// The blob store in a folder on this machine.
#[derive(Debug, Clone)]
pub struct EmbeddedBlobs {
    folder: PathBuf,
}

impl EmbeddedBlobs {
    /// Opens the folder, creating it if needed, and removes partial files that killed processes left behind.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let temporary = folder.join(TEMPORARY_FOLDER);
        fs::create_dir_all(&temporary)
            .and_then(|()| durable::remove_older_than(&temporary, TEMPORARY_LIFETIME))
            .map_err(|error| failure(error, || format!("opening the folder {}", folder.display())))?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn container(&self, container: Container) -> PathBuf {
        self.folder.join(container.as_str())
    }

    fn blob(&self, container: Container, name: &str) -> Result<BlobPath, StoreError> {
        check_name(name)?;
        Ok(BlobPath {
            root: self.container(container),
            file: self.container(container).join(file_name(name)),
            sidecar: sidecar::path(&self.folder, container, name),
            temporary: self.folder.join(TEMPORARY_FOLDER),
            shown: format!("{container}/{name}"),
            container,
        })
    }
}

/// The paths that belong to one blob.
struct BlobPath {
    /// The folder of its container.
    root: PathBuf,
    file: PathBuf,
    sidecar: PathBuf,
    temporary: PathBuf,
    shown: String,
    container: Container,
}

impl BlobPath {
    fn failed(&self, verb: &str, error: io::Error) -> StoreError {
        if error.kind() == io::ErrorKind::NotFound && !self.root.is_dir() {
            return missing(self.container, self.root.parent());
        }
        failure(error, || format!("{verb} {}", self.shown))
    }

    fn create(&self, content: &[u8]) -> io::Result<Creation> {
        if !self.file.exists() {
            durable::create_folders(&self.root, &self.file)?;
            if Temporary::write(&self.temporary, content)?.link(&self.file)? {
                return Ok(Creation::Created);
            }
        }
        // Its creator may not have synchronised the folder yet, but the result promises durability.
        durable::sync_folder_of(&self.file)?;
        Ok(Creation::AlreadyExists)
    }

    fn put(&self, content: &[u8], metadata: &Metadata) -> io::Result<()> {
        durable::create_folders(&self.root, &self.file)?;
        let written = Temporary::write(&self.temporary, content)?;
        let version = written.version()?;
        written.replace(&self.file)?;
        sidecar::write(&self.temporary, &self.sidecar, version, metadata)
    }

    fn get(&self, limit: u64) -> Result<Option<Bytes>, StoreError> {
        let file = match File::open(&self.file) {
            Ok(file) => file,
            Err(error) if is_absent(&error) && self.root.is_dir() => return Ok(None),
            Err(error) => return Err(self.failed("reading", error)),
        };
        let bytes = file.metadata().map_err(|error| self.failed("reading", error))?.len();
        if bytes > limit {
            return Err(StoreError::TooLarge { what: self.shown.clone(), bytes, limit });
        }
        let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
        file.take(limit).read_to_end(&mut content).map_err(|error| self.failed("reading", error))?;
        Ok(Some(content.into()))
    }

    fn delete(&self) -> io::Result<()> {
        // The metadata first, so that a later blob of the same name cannot inherit it.
        for file in [&self.sidecar, &self.file] {
            match fs::remove_file(file) {
                Ok(()) => durable::sync_folder_of(file)?,
                Err(error) if is_absent(&error) && self.root.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl BlobStore for EmbeddedBlobs {
    async fn ensure_container(&self, container: Container) -> Result<(), StoreError> {
        let (folder, parent) = (self.container(container), self.folder.clone());
        blocking(move || {
            create_folder(&folder)
                .and_then(|()| durable::sync_folder(&parent))
                .map_err(|error| failure(error, || format!("creating the container `{container}`")))
        })
        .await
    }

    async fn create(
        &self,
        container: Container,
        name: &str,
        _content_type: &str,
        content: Bytes,
    ) -> Result<Creation, StoreError> {
        let blob = self.blob(container, name)?;
        blocking(move || blob.create(&content).map_err(|error| blob.failed("creating", error))).await
    }

    async fn put(
        &self,
        container: Container,
        name: &str,
        _content_type: &str,
        content: Bytes,
        metadata: &Metadata,
    ) -> Result<(), StoreError> {
        check_metadata(metadata)?;
        let (blob, metadata) = (self.blob(container, name)?, metadata.clone());
        blocking(move || blob.put(&content, &metadata).map_err(|error| blob.failed("writing", error))).await
    }

    async fn get(&self, container: Container, name: &str, limit: u64) -> Result<Option<Bytes>, StoreError> {
        let blob = self.blob(container, name)?;
        blocking(move || blob.get(limit)).await
    }

    async fn list(&self, container: Container, listing: Listing<'_>) -> Result<Page, StoreError> {
        check_prefix(listing.prefix)?;
        let folder = self.folder.clone();
        let query = listing::Query::new(container, listing);
        blocking(move || match query.run(&folder) {
            Ok(page) => Ok(page),
            Err(error) if is_absent(&error) => Err(missing(container, Some(&folder))),
            Err(error) => Err(failure(error, || format!("listing the container `{container}`"))),
        })
        .await
    }

    async fn delete(&self, container: Container, name: &str) -> Result<(), StoreError> {
        let blob = self.blob(container, name)?;
        blocking(move || blob.delete().map_err(|error| blob.failed("deleting", error))).await
    }
}

/// A blob's path below its container.
fn file_name(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains('.') { name.to_owned() } else { format!("{name}{PLAIN_SUFFIX}") }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Creates the folder in one that is there: a store that was deleted must not come back empty.
fn create_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        created => created,
    }
}

fn missing(container: Container, store: Option<&Path>) -> StoreError {
    match store.filter(|folder| !folder.is_dir()) {
        Some(folder) => StoreError::Lost { folder: folder.to_owned() },
        None => StoreError::Missing { what: format!("the container `{container}`") },
    }
}

/// Classifies an error of the operating system by what the caller can do about it.
fn failure(error: io::Error, doing: impl FnOnce() -> String) -> StoreError {
    use io::ErrorKind::{
        FileTooLarge, InvalidFilename, IsADirectory, NotADirectory, PermissionDenied, QuotaExceeded,
        ReadOnlyFilesystem, StorageFull, Unsupported,
    };
    let doing = doing();
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => StoreError::Full { doing },
        PermissionDenied | ReadOnlyFilesystem => StoreError::Denied { doing, source: error.into() },
        InvalidFilename | IsADirectory | NotADirectory | Unsupported => {
            StoreError::Invalid { doing, source: error.into() }
        }
        _ => StoreError::Unavailable { doing, source: error.into() },
    }
}

/// Runs file system work on the blocking thread pool. The work finishes even if the caller is cancelled.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(StoreError::Unavailable { doing: "working on the embedded store".to_owned(), source: error.into() })
    })
}
