//! Metadata of blobs, as JSON files in a hidden tree: `DIR/.metadata/<container>/<name>.json`.
//!
//! A sidecar names the version of the file that it belongs to. One that belongs to another version (its writer was
//! killed, or two wrote at once) is not shown: no metadata is always a safe answer, wrong metadata is not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::durable::{self, Stamp, Temporary};
use crate::names::Container;
use crate::store::Metadata;

const FOLDER: &str = ".metadata";

#[derive(Serialize, Deserialize)]
struct Sidecar {
    /// Nanoseconds since 1970 and length of the file that this belongs to.
    of: Stamp,
    metadata: Metadata,
}

pub(super) fn path(folder: &Path, container: Container, name: &str) -> PathBuf {
    folder.join(FOLDER).join(container.as_str()).join(format!("{name}.json"))
}

pub(super) fn write(temporary: &Path, sidecar: &Path, of: Stamp, metadata: &Metadata) -> io::Result<()> {
    if metadata.is_empty() {
        return match fs::remove_file(sidecar) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let content = serde_json::to_vec(&Sidecar { of, metadata: metadata.clone() })?;
    if let Some(folder) = sidecar.parent() {
        fs::create_dir_all(folder)?;
    }
    Temporary::write(temporary, &content)?.replace(sidecar)
}

/// The metadata of this version of the file; empty if there is none.
pub(super) fn read(sidecar: &Path, file: &fs::Metadata) -> Metadata {
    let read = fs::read(sidecar).ok().and_then(|bytes| serde_json::from_slice::<Sidecar>(&bytes).ok());
    match (read, durable::stamp_of(file)) {
        (Some(sidecar), Ok(stamp)) if sidecar.of == stamp => sidecar.metadata,
        _ => Metadata::new(),
    }
}
