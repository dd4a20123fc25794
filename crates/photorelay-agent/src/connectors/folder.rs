//! A folder with one `{samAccountName}.jpg` for each user, for badge systems and intranets that read files.
//!
//! A file is replaced as a whole, by rename, so that readers never see half a photo. Account names are unique only
//! within a domain: `.photorelay/owners` records which user a file belongs to, and another user's file is never touched.
//! The record is made by the first write; a user with the same anchor takes it over, because that is the same person
//! with another object ID.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use photorelay_core::contract::{self, Contract as _, FolderOwner, Identity, V1};
use photorelay_core::id::UserId;

use super::connector::{Connector, ConnectorError, EntryRef, Replacement};
use super::files::{read_limited, write_whole};

/// Files larger than this were not written by us, and are not read.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug, Clone)]
pub struct FolderConnector {
    folder: PathBuf,
    rendition: String,
    limit: u64,
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
        Self { folder: folder.to_owned(), rendition: rendition.to_owned(), limit }
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
        if known == *owner || (known.anchor.is_some() && known.anchor == owner.anchor) {
            return Ok(Some(known.user_id));
        }
        Err(ConnectorError::Refused(format!(
            "the file belongs to user {} and another user has the same account name: serve their domains by targets \
             with a folder of their own, or delete {} if the account was recreated",
            known.user_id,
            path.display()
        )))
    }

    /// Held while a value is compared and replaced, by every process that writes to the folder.
    fn lock(&self, entry: &EntryRef) -> io::Result<File> {
        let lock = File::create(own(&self.folder, "locks").join(&entry.0))?;
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
            Some(photo) => write_whole(&path, photo)?,
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
        Ok(Replacement::Done)
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

    async fn find(&self, user: UserId, identity: &Identity) -> Result<(EntryRef, Option<Bytes>), ConnectorError> {
        let name = identity.sam_account_name.as_deref().unwrap_or_default();
        if !is_account_name(name) {
            return Err(ConnectorError::Refused("no account name (sAMAccountName) that can name a file".to_owned()));
        }
        let entry = EntryRef(name.to_lowercase());
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
}

/// What Active Directory allows in an account name and a file system takes as it is; no dots at the ends.
/// <https://learn.microsoft.com/windows/win32/adschema/a-samaccountname>
fn is_account_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || "\"/\\[]:;|=,+*?<>@".contains(c);
    (1..=64).contains(&name.len()) && !name.contains(forbidden) && !name.starts_with('.') && !name.ends_with(['.', ' '])
}

fn own(folder: &Path, what: &str) -> PathBuf {
    folder.join(".photorelay").join(what)
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
