//! Writes the files: a file is replaced as a whole, by rename, so that readers never see half a photo.
//!
//! Names need not be unique: `.photorelay/owners` records which user a file belongs to, and another user's file is never
//! touched. The record is made by the first write; a user with the same anchor takes it over, because that is the same
//! person with another object ID. It holds for the files of further renditions too, which have the same name in a folder
//! of their own.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use photorelay_core::contract::{self, Contract as _, FolderOwner, Identity, V1};
use photorelay_core::id::UserId;

use super::files::{MAX_FILE_BYTES, own};
use super::manifest;
use super::name::FileName;
use crate::connectors::files::{read_limited, write_whole};
use crate::connectors::{Connector, ConnectorError, EntryRef, Replacement};

#[derive(Debug, Clone)]
pub struct FolderConnector {
    folder: PathBuf,
    rendition: String,
    limit: u64,
    /// Further renditions, each in a folder with its name.
    further: Vec<String>,
    name: FileName,
    /// Whether files have changed since the manifest was written; none if there is no manifest.
    manifest_due: Option<Arc<AtomicBool>>,
}

impl FolderConnector {
    /// Opens the folder, creating it if it is not there.
    pub fn open(folder: &Path, rendition: &str, limit: u64) -> io::Result<Self> {
        for needed in [folder.to_owned(), own(folder, "owners"), own(folder, "locks")] {
            fs::create_dir_all(needed)?;
        }
        Ok(Self::unopened(folder, rendition, limit))
    }

    /// For a dry run: nothing is created, and a folder that is not there shows no photo.
    pub fn unopened(folder: &Path, rendition: &str, limit: u64) -> Self {
        let (folder, rendition) = (folder.to_owned(), rendition.to_owned());
        Self { folder, rendition, limit, further: Vec::new(), name: FileName::default(), manifest_due: None }
    }

    /// Writes these renditions too.
    pub fn with_further(self, further: Vec<String>) -> Self {
        Self { further, ..self }
    }

    /// Names files otherwise than by account name.
    pub fn with_name(self, name: FileName) -> Self {
        Self { name, ..self }
    }

    /// Writes `manifest.csv` beside the photos; also after a start, because it may be behind.
    pub fn with_manifest(self) -> Self {
        Self { manifest_due: Some(Arc::new(AtomicBool::new(true))), ..self }
    }

    fn file(&self, entry: &EntryRef) -> PathBuf {
        self.folder.join(format!("{}.jpg", entry.0))
    }

    /// Records the file as this user's.
    fn record_owner(&self, entry: &EntryRef, owner: &FolderOwner) -> Result<(), ConnectorError> {
        if self.check_owner(entry, owner)? == Some(owner.user_id) {
            return Ok(());
        }
        let _lock = self.lock(entry).map_err(failed)?;
        match self.check_owner(entry, owner)? {
            Some(known) if known == owner.user_id => Ok(()),
            _ => write_whole(&self.owner_file(entry), &contract::to_bytes(owner)).map_err(failed),
        }
    }

    fn owner_file(&self, entry: &EntryRef) -> PathBuf {
        own(&self.folder, "owners").join(format!("{}.json", entry.0))
    }

    /// Whose the file is, if that is this user or one with the same anchor; none if it has no owner yet.
    fn check_owner(&self, entry: &EntryRef, owner: &FolderOwner) -> Result<Option<UserId>, ConnectorError> {
        const LIMIT: u64 = FolderOwner::MAX_BYTES as u64;
        let path = self.owner_file(entry);
        let Some(known) = read_limited(&path, LIMIT).map_err(failed)? else { return Ok(None) };
        let known: FolderOwner = contract::parse(&known)
            .map_err(|error| ConnectorError::Refused(format!("{}: not an owner record: {error}", path.display())))?;
        if known.user_id == owner.user_id || (known.anchor.is_some() && known.anchor == owner.anchor) {
            return Ok(Some(known.user_id));
        }
        Err(ConnectorError::Refused(format!(
            "the file belongs to user {} and another user has the same file name: serve their domains by targets with a \
             folder of their own, or delete {} if the account was recreated",
            known.user_id,
            path.display()
        )))
    }

    /// Held while a value is compared and replaced, by every process that writes to the folder. All files of a user have
    /// one lock.
    fn lock(&self, entry: &EntryRef) -> io::Result<File> {
        let key = entry.0.rsplit('/').next().unwrap_or(&entry.0);
        let lock = File::create(own(&self.folder, "locks").join(key))?;
        lock.lock()?;
        Ok(lock)
    }

    fn replace_locked(&self, entry: &EntryRef, read: Option<&Bytes>, new: Option<&Bytes>) -> io::Result<Replacement> {
        let _lock = self.lock(entry)?;
        let path = self.file(entry);
        if read_limited(&path, MAX_FILE_BYTES)?.as_ref() != read {
            return Ok(Replacement::ChangedMeanwhile);
        }
        match new {
            Some(photo) => {
                if is_companion(entry) {
                    create_last_folder(&path)?;
                }
                write_whole(&path, photo)?;
            }
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
        if let Some(due) = &self.manifest_due {
            due.store(true, Ordering::Release);
        }
        Ok(Replacement::Done)
    }

    fn write_manifest(&self, due: &AtomicBool) -> io::Result<()> {
        if !due.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        manifest::write(&self.folder, &self.further).inspect_err(|_| due.store(true, Ordering::Release))
    }
}

#[async_trait]
impl Connector for FolderConnector {
    fn rendition(&self) -> &str {
        &self.rendition
    }

    fn limit(&self) -> u64 {
        self.limit
    }

    fn server(&self) -> String {
        self.folder.display().to_string()
    }

    /// With other names, other users may have a file; with more renditions, users have more of them.
    fn scope(&self) -> String {
        let name = if self.name == FileName::default() { String::new() } else { format!("{:?}", self.name) };
        if self.further.is_empty() { name } else { format!("{name}{:?}", self.further) }
    }

    fn holds_copies(&self) -> bool {
        true
    }

    async fn find(&self, user: UserId, identity: &Identity) -> Result<(EntryRef, Option<Bytes>), ConnectorError> {
        let entry = EntryRef(self.name.of(user, identity).map_err(ConnectorError::Refused)?);
        let owner = FolderOwner { v: V1, user_id: user, anchor: identity.anchor.clone() };
        let (target, checked) = (self.clone(), entry.clone());
        blocking(move || target.check_owner(&checked, &owner).map(drop)).await?;
        let present = self.read(&entry).await?;
        Ok((entry, present))
    }

    async fn claim(&self, user: UserId, identity: &Identity, entry: &EntryRef) -> Result<(), ConnectorError> {
        let owner = FolderOwner { v: V1, user_id: user, anchor: identity.anchor.clone() };
        let (target, entry) = (self.clone(), entry.clone());
        blocking(move || target.record_owner(&entry, &owner)).await
    }

    async fn read(&self, entry: &EntryRef) -> Result<Option<Bytes>, ConnectorError> {
        let path = self.file(entry);
        blocking(move || read_limited(&path, MAX_FILE_BYTES).map_err(failed)).await
    }

    async fn replace(
        &self,
        entry: &EntryRef,
        read: Option<&Bytes>,
        new: Option<&Bytes>,
    ) -> Result<Replacement, ConnectorError> {
        let (target, entry, read, new) = (self.clone(), entry.clone(), read.cloned(), new.cloned());
        blocking(move || target.replace_locked(&entry, read.as_ref(), new.as_ref()).map_err(failed)).await
    }

    fn companions(&self, entry: &EntryRef) -> Vec<(String, EntryRef)> {
        self.further.iter().map(|rendition| (rendition.clone(), companion(rendition, entry))).collect()
    }

    async fn settle(&self) -> Result<(), ConnectorError> {
        let Some(due) = self.manifest_due.clone() else { return Ok(()) };
        let target = self.clone();
        blocking(move || target.write_manifest(&due).map_err(failed)).await
    }
}

/// A file's name never has this in it.
const IN_FOLDER: char = '/';

fn companion(rendition: &str, entry: &EntryRef) -> EntryRef {
    EntryRef(format!("{rendition}{IN_FOLDER}{}", entry.0))
}

fn is_companion(entry: &EntryRef) -> bool {
    entry.0.contains(IN_FOLDER)
}

/// Only the last folder: without the one that it is in, such as a share that is not mounted, nothing is to be written.
fn create_last_folder(file: &Path) -> io::Result<()> {
    match file.parent().map(fs::create_dir) {
        Some(Err(error)) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ConnectorError> + Send + 'static,
) -> Result<T, ConnectorError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ConnectorError::Failed(error.to_string()))?
}

fn failed(error: io::Error) -> ConnectorError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            ConnectorError::Down(format!("the folder cannot be written: {error}"))
        }
        _ => ConnectorError::Failed(format!("the folder: {error}")),
    }
}
