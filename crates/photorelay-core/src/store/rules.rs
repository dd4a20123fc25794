//! The rules for blob names and metadata, which every backend enforces alike.
//!
//! Names become paths in the embedded store, so these rules must never accept a name that leaves the folder, is hidden,
//! or could be a file and a folder at once: only the last segment may contain a dot. Metadata becomes HTTP headers on
//! Azure.

use super::{Metadata, StoreError};

const MAX_NAME_BYTES: usize = 512;
const MAX_SEGMENT_BYTES: usize = 200;
const MAX_METADATA_BYTES: usize = 4096;

/// The suffix that the embedded store adds to the file name of a blob without an extension. No blob name may end in it.
pub(super) const PLAIN_SUFFIX: &str = ".blob";

/// Checks the full name of a blob.
pub(super) fn check_name(name: &str) -> Result<(), StoreError> {
    let mut segments = name.split('/').rev();
    let last = segments.next().unwrap_or_default();
    let fits = name.len() <= MAX_NAME_BYTES
        && is_segment(last)
        && !last.ends_with(PLAIN_SUFFIX)
        && segments.all(|folder| is_segment(folder) && !folder.contains('.'));
    if fits { Ok(()) } else { Err(invalid("the blob name", name, "letters, digits, `-` and `_` between slashes")) }
}

/// Checks the prefix of a listing: a blob name that may be truncated anywhere.
pub(super) fn check_prefix(prefix: &str) -> Result<(), StoreError> {
    let (folders, rest) = split_folders(prefix);
    let fits = prefix.len() <= MAX_NAME_BYTES
        && folders.split_terminator('/').all(|folder| is_segment(folder) && !folder.contains('.'))
        && rest.bytes().all(is_name_byte)
        && !rest.starts_with('.');
    if fits { Ok(()) } else { Err(invalid("the prefix", prefix, "the beginning of a blob name")) }
}

/// Splits a prefix after its last slash: complete folders, and the beginning of a name.
pub(super) fn split_folders(prefix: &str) -> (&str, &str) {
    prefix.split_at(prefix.rfind('/').map_or(0, |slash| slash + 1))
}

/// Checks metadata: names are lower-case header names on Azure, and values are printable ASCII that no parser trims.
pub(super) fn check_metadata(metadata: &Metadata) -> Result<(), StoreError> {
    let mut bytes = 0;
    for (name, value) in metadata {
        bytes += name.len() + value.len();
        let good_name = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let good_value = !value.is_empty() && value.bytes().all(|b| (0x20..0x7f).contains(&b)) && value.trim() == value;
        if !good_name || !good_value {
            return Err(invalid("the metadata", name, "lower-case names and printable ASCII values"));
        }
    }
    if bytes > MAX_METADATA_BYTES {
        return Err(StoreError::TooLarge {
            what: "metadata".to_owned(),
            bytes: bytes as u64,
            limit: MAX_METADATA_BYTES as u64,
        });
    }
    Ok(())
}

fn is_segment(segment: &str) -> bool {
    (1..=MAX_SEGMENT_BYTES).contains(&segment.len())
        && segment.bytes().all(is_name_byte)
        && !segment.starts_with('.')
        && !segment.ends_with('.')
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn invalid(what: &str, text: &str, expected: &str) -> StoreError {
    let shown: String = text.chars().take(80).collect();
    StoreError::Invalid { doing: format!("{what} {shown:?}"), source: format!("expected {expected}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Digest, UserId};
    use crate::names;

    #[test]
    fn every_name_that_photorelay_uses_is_accepted() {
        let user: UserId = "1f2c0b0e-0000-4000-8000-000000000001".parse().unwrap();
        let digest = Digest::of(b"photo");
        for name in [
            names::photo(user, digest),
            names::rendition(user, digest, "thumbnailPhoto", digest),
            names::audit_entry(user, 1),
            names::head(user),
            names::receipt(user, 1, "ad"),
            names::kept_value(user, digest),
            names::note(user, "ad"),
            names::dead_lettered("photo-checks", "7f3c"),
            "population.json".to_owned(),
            "checkpoints/2026-01-01.json".to_owned(),
        ] {
            assert!(check_name(&name).is_ok(), "{name}");
        }
        for prefix in ["", names::HEADS_PREFIX, &names::person_prefix(user), "users/1f", "a/b.js"] {
            assert!(check_prefix(prefix).is_ok(), "{prefix}");
        }
    }

    #[test]
    fn names_that_leave_the_folder_or_are_hidden_are_refused() {
        let long = "x".repeat(201);
        for name in [
            "", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.b", "a.", "a\\b", "a b", "\u{e9}", "a\0", &long,
            "C:/a",
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["a.json/b", "a.blob"] {
            assert!(check_name(name).is_err(), "{name:?} could be a file and a folder at once");
        }
        for prefix in ["../", "/", "a//", ".", "a/.t", "..", "a\\"] {
            assert!(check_prefix(prefix).is_err(), "{prefix:?}");
        }
    }

    #[test]
    fn metadata_that_a_header_would_change_is_refused() {
        let of = |name: &str, value: &str| Metadata::from([(name.to_owned(), value.to_owned())]);
        assert!(check_metadata(&of("etag", "W/\"0 1\"")).is_ok());
        for (name, value) in [("Etag", "x"), ("e-tag", "x"), ("", "x"), ("etag", ""), ("etag", " x"), ("etag", "a\nb")]
        {
            assert!(check_metadata(&of(name, value)).is_err(), "{name:?} {value:?}");
        }
        assert!(check_metadata(&of("etag", &"x".repeat(5000))).is_err());
    }
}
