//! Writes files atomically and durably: a file is either complete or absent, and survives a power cut.
//!
//! Content is written to a temporary file and synchronised before the file gets its name; then its folder is
//! synchronised too.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::contract::FileVersion;

/// A file whose bytes are on the disk but that has no name yet. Dropping it removes the file.
pub(super) struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    pub(super) fn write(folder: &Path, content: &[u8]) -> io::Result<Self> {
        let path = folder.join(Uuid::new_v4().simple().to_string());
        let file = File::create_new(&path)?;
        let mut temporary = Self { path, file };
        temporary.file.write_all(content)?;
        // The kernel's own modification time is too coarse to distinguish two concurrent writers.
        temporary.file.set_modified(SystemTime::now())?;
        temporary.file.sync_data()?;
        Ok(temporary)
    }

    /// The version as the file system stores it, which may be coarser than the time that was set.
    pub(super) fn version(&self) -> io::Result<FileVersion> {
        version_of(&self.file.metadata()?)
    }

    /// Gives the file its name unless the name is taken. Returns whether it did.
    pub(super) fn link(self, name: &Path) -> io::Result<bool> {
        match fs::hard_link(&self.path, name) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error),
        }
        sync_folder_of(name)?;
        Ok(true)
    }

    /// Gives the file its name, replacing an existing file.
    pub(super) fn replace(self, name: &Path) -> io::Result<()> {
        fs::rename(&self.path, name)?;
        sync_folder_of(name)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing to remove. Opening the store removes any other leftovers.
        let _ = fs::remove_file(&self.path);
    }
}

pub(super) fn version_of(metadata: &fs::Metadata) -> io::Result<FileVersion> {
    let since = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(FileVersion(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), metadata.len()))
}

/// Creates the folders between an existing root and a file. The root itself is never created here.
pub(super) fn create_folders(root: &Path, file: &Path) -> io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    create_folders(root, folder)?;
    match fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        Err(error) => return Err(error),
    }
    sync_folder_of(folder)
}

pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_folder)
}

#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// On other systems a folder cannot be opened as a file, so this relies on the file system's journal.
#[cfg(not(unix))]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::metadata(folder).map(drop)
}

/// Removes files that are too old to still be in use by a writer.
pub(super) fn remove_older_than(folder: &Path, age: Duration) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Another process may do the same at the same time, or just finish its file.
        let Ok(modified) = entry.metadata().and_then(|metadata| metadata.modified()) else { continue };
        if modified.elapsed().is_ok_and(|elapsed| elapsed > age) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}
