//! Lists one page of a container by traversing its folders in the order of blob names.
//!
//! Names compare as whole strings, as they do on Azure: a folder sorts as its name with a slash. The listing must never
//! omit files that photorelay did not write, because verification has to find inserted files.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use super::sidecar;
use crate::names::Container;
use crate::store::rules::{PLAIN_SUFFIX, split_folders};
use crate::store::{Listed, Listing, Metadata, Page};

/// Deeper than any name that photorelay uses, so that a foreign folder cannot exhaust the stack.
const MAX_DEPTH: u32 = 16;
const MAX_PAGE: u32 = 5_000;

pub(super) struct Query {
    container: Container,
    prefix: String,
    after: String,
    with_metadata: bool,
    page_size: usize,
}

struct Entry {
    /// The next part of the blob's name, or of all names below this folder.
    key: String,
    is_folder: bool,
    on_disk: fs::DirEntry,
}

impl Query {
    pub(super) fn new(container: Container, listing: Listing<'_>) -> Self {
        Self {
            container,
            prefix: listing.prefix.to_owned(),
            after: listing.continuation.unwrap_or_default().to_owned(),
            with_metadata: listing.with_metadata,
            page_size: listing.page_size.clamp(1, MAX_PAGE) as usize,
        }
    }

    pub(super) fn run(&self, folder: &Path) -> io::Result<Page> {
        let root = folder.join(self.container.as_str());
        let (folders, _) = split_folders(&self.prefix);
        let start = root.join(folders);
        let mut page = Page::default();
        // A missing folder below the container is empty; only a missing container is an error.
        if start.is_dir() || !root.is_dir() {
            let _ = self.walk(folder, &start, folders, 0, &mut page)?;
        }
        Ok(page)
    }

    fn walk(
        &self,
        store: &Path,
        folder: &Path,
        so_far: &str,
        depth: u32,
        page: &mut Page,
    ) -> io::Result<ControlFlow<()>> {
        for entry in self.entries(folder, so_far)? {
            let name = format!("{so_far}{}", entry.key);
            if entry.is_folder {
                if depth < MAX_DEPTH && self.walk(store, &entry.on_disk.path(), &name, depth + 1, page)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                continue;
            }
            if page.blobs.len() == self.page_size {
                page.next = page.blobs.last().map(|blob| blob.name.clone());
                return Ok(ControlFlow::Break(()));
            }
            let on_disk = match entry.on_disk.metadata() {
                Ok(on_disk) => on_disk,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let metadata = if self.with_metadata {
                sidecar::read(&sidecar::path(store, self.container, &name), &on_disk)
            } else {
                Metadata::new()
            };
            page.blobs.push(Listed { name, bytes: on_disk.len(), content_type: None, metadata });
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The entries of a folder that may be on the page, in order.
    fn entries(&self, folder: &Path, so_far: &str) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut name = so_far.to_owned();
        for on_disk in fs::read_dir(folder)? {
            let on_disk = on_disk?;
            let is_folder = on_disk.file_type()?.is_dir();
            let file = on_disk.file_name();
            let file = file.to_string_lossy();
            if file.starts_with('.') {
                continue;
            }
            let key = if is_folder {
                format!("{file}/")
            } else {
                file.strip_suffix(PLAIN_SUFFIX).unwrap_or(&file).to_owned()
            };
            name.truncate(so_far.len());
            name.push_str(&key);
            if self.may_hold(&name, is_folder) {
                entries.push(Entry { key, is_folder, on_disk });
            }
        }
        entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(entries)
    }

    fn may_hold(&self, name: &str, is_folder: bool) -> bool {
        if is_folder {
            (name.starts_with(&self.prefix) || self.prefix.starts_with(name))
                && (*name > *self.after || self.after.starts_with(name))
        } else {
            name.starts_with(&self.prefix) && *name > *self.after
        }
    }
}
