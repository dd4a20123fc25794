//! The names of a photo and of its renditions: everything in which the user can be recognised.

use crate::id::{Digest, UserId};

/// In `photos`: the bytes that Graph returned, unchanged.
pub fn photo(user: UserId, photo: Digest) -> String {
    format!("{user}/{photo}")
}

/// In `photos`: a rendition, named by the digests of the original and of itself.
pub fn rendition(user: UserId, photo: Digest, name: &str, rendition: Digest) -> String {
    format!("{user}/{photo}/{name}-{rendition}.jpg")
}

/// The digest that the name of a photo or of a rendition promises for its bytes; `None` for any other name.
pub fn parse_photo_blob(name: &str) -> Option<Digest> {
    let (user, rest) = name.split_once('/')?;
    let user: UserId = user.parse().ok()?;
    let Some((of, file)) = rest.split_once('/') else {
        let sha256 = rest.parse().ok()?;
        return (photo(user, sha256) == name).then_some(sha256);
    };
    let (label, digest) = file.strip_suffix(".jpg")?.rsplit_once('-')?;
    let (of, sha256): (Digest, Digest) = (of.parse().ok()?, digest.parse().ok()?);
    (rendition(user, of, label, sha256) == name).then_some(sha256)
}
