//! The metadata of blobs, as JSON files in a hidden tree: `DIR/.metadata/<container>/<name>.json`.
//!
//! A sidecar names the version of the file that it belongs to. One that belongs to another version (its writer was
//! killed, or two processes wrote at once) must never be returned: missing metadata is always safe, wrong metadata is
//! not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::durable::{self, Temporary};
use crate::contract::{self, FileVersion, MetadataFile, V1};
use crate::names::Container;
use crate::store::Metadata;

const FOLDER: &str = ".metadata";

pub(super) fn path(folder: &Path, container: Container, name: &str) -> PathBuf {
    folder.join(FOLDER).join(container.as_str()).join(format!("{name}.json"))
}

pub(super) fn write(temporary: &Path, sidecar: &Path, of: FileVersion, metadata: &Metadata) -> io::Result<()> {
    if metadata.is_empty() {
        return match fs::remove_file(sidecar) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let content = contract::to_bytes(&MetadataFile { v: V1, of, metadata: metadata.clone() });
    if let Some(folder) = sidecar.parent() {
        fs::create_dir_all(folder)?;
    }
    Temporary::write(temporary, &content)?.replace(sidecar)
}

/// Reads the metadata of this version of the file; empty if there is none.
pub(super) fn read(sidecar: &Path, file: &fs::Metadata) -> Metadata {
    let read = fs::read(sidecar).ok().and_then(|bytes| contract::parse::<MetadataFile>(&bytes).ok());
    match (read, durable::version_of(file)) {
        (Some(sidecar), Ok(version)) if sidecar.of == version => sidecar.metadata,
        _ => Metadata::new(),
    }
}
