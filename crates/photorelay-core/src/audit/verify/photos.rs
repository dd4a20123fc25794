//! Verifies a user's photos and renditions: what an entry names exists, unchanged and with its content type, and what no
//! entry names is at least what its name says.

use std::collections::{HashMap, HashSet};

use super::finding::Problem;
use super::report::Report;
use super::walk::Traces;
use crate::audit::Committed;
use crate::contract::{AuditEntry, EntryKind};
use crate::id::Digest;
use crate::names::{self, Container};
use crate::store::{BlobStore, StoreError};
use crate::vault::{self, VaultError};

/// photorelay never stores a larger photo, whatever an entry claims.
const MAX_BLOB_BYTES: u64 = 64 * 1024 * 1024;

/// A blob that an entry names.
struct NamedBlob {
    name: String,
    sha256: Digest,
    bytes: u64,
    content_type: String,
}

pub(super) async fn verify(
    blobs: &dyn BlobStore,
    traces: &Traces,
    trail: &[Committed],
    report: &mut Report,
) -> Result<(), StoreError> {
    if trail.last().is_some_and(|newest| newest.entry.kind == EntryKind::Forgotten) {
        return Ok(());
    }
    let stored_as: HashMap<&str, &str> =
        traces.photos.iter().filter_map(|blob| Some((blob.name.as_str(), blob.content_type.as_deref()?))).collect();
    let mut named = HashSet::new();
    for Committed { entry, .. } in trail {
        if !matches!(entry.kind, EntryKind::Captured | EntryKind::Restored) {
            continue;
        }
        for blob in named_blobs(entry) {
            if named.contains(&blob.name) {
                continue;
            }
            let problem = match vault::read_verified(blobs, &blob.name, blob.sha256, blob.bytes.min(MAX_BLOB_BYTES))
                .await
            {
                Ok(_) => {
                    report.blobs += 1;
                    let stored_as = stored_as.get(blob.name.as_str()).filter(|stored| **stored != blob.content_type);
                    stored_as.map(|stored| Problem::ContentTypeChanged {
                        blob: shown(&blob.name),
                        content_type: (*stored).to_owned(),
                    })
                }
                Err(VaultError::Missing { .. }) => Some(Problem::BlobMissing { blob: shown(&blob.name) }),
                Err(VaultError::Changed { .. } | VaultError::Store(StoreError::TooLarge { .. })) => {
                    Some(Problem::BlobChanged { blob: shown(&blob.name) })
                }
                Err(VaultError::Store(error)) => return Err(error),
            };
            if let Some(problem) = problem {
                report.find(traces.user, entry.seq, problem);
            }
            named.insert(blob.name);
        }
    }
    let strays = unreferenced(blobs, traces, &named, report).await?;
    // An entry that cannot be read may name them.
    let is_whole = trail.last().is_none_or(|newest| newest.entry.seq as usize == trail.len());
    match is_whole && trail.len() == traces.entries.len() {
        true => report.unreferenced += strays,
        false => report.unattributed += strays,
    }
    Ok(())
}

/// A blob that no entry names was left by a worker that ended before it could commit, if its bytes are those of its name.
/// Returns how many there are.
async fn unreferenced(
    blobs: &dyn BlobStore,
    traces: &Traces,
    named: &HashSet<String>,
    report: &mut Report,
) -> Result<u64, StoreError> {
    let mut strays = 0;
    for stray in traces.photos.iter().filter(|blob| !named.contains(&blob.name)) {
        let is_whole = match names::parse_photo_blob(&stray.name) {
            None => false,
            Some(sha256) => match vault::read_verified(blobs, &stray.name, sha256, MAX_BLOB_BYTES).await {
                Ok(_) => true,
                // Deleted since it was listed.
                Err(VaultError::Missing { .. }) => continue,
                Err(VaultError::Changed { .. } | VaultError::Store(StoreError::TooLarge { .. })) => false,
                Err(VaultError::Store(error)) => return Err(error),
            },
        };
        match is_whole {
            true => strays += 1,
            false => report.find(traces.user, None, Problem::ForeignBlob { blob: shown(&stray.name) }),
        }
    }
    Ok(strays)
}

fn shown(name: &str) -> String {
    format!("{}/{name}", Container::Photos)
}

fn named_blobs(entry: &AuditEntry) -> Vec<NamedBlob> {
    let Some(photo) = &entry.photo else { return Vec::new() };
    let original = NamedBlob {
        name: names::photo(entry.user_id, photo.sha256),
        sha256: photo.sha256,
        bytes: photo.bytes,
        content_type: photo.content_type.clone(),
    };
    let renditions = entry.renditions.iter().map(|rendition| NamedBlob {
        name: names::rendition(entry.user_id, photo.sha256, &rendition.name, rendition.sha256),
        sha256: rendition.sha256,
        bytes: rendition.bytes,
        content_type: "image/jpeg".to_owned(),
    });
    std::iter::once(original).chain(renditions).collect()
}
