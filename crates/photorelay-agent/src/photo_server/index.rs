//! Whose photo is found by which name, in memory.
//!
//! It must never choose between two users: where two of them have one account name or address, neither is found, unless
//! they are one person with another object ID (the same source anchor), whose later photo counts. Names and addresses are
//! kept as digests only: that is all a lookup needs, and it is small.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use md5::{Digest as _, Md5};
use photorelay_core::contract::{AuditEntry, Identity, RenditionFacts};
use photorelay_core::id::{Digest, UserId};

/// What a client finds a photo by: half of a SHA-256, which no two names share by chance or on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PhotoKey([u8; 16]);

impl PhotoKey {
    pub(super) fn account(name: &str) -> Self {
        Self::of("account", &name.to_lowercase())
    }

    /// MD5 or SHA-256 of the lower-case mail address, in hexadecimal digits.
    pub(super) fn mail_hash(digits: &str) -> Self {
        Self::of("mail", &digits.to_ascii_lowercase())
    }

    fn anchor(anchor: &str) -> Self {
        Self::of("anchor", anchor)
    }

    fn of(kind: &str, text: &str) -> Self {
        let digest = Digest::of(format!("{kind}:{text}").as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest.as_bytes()[..16]);
        Self(half)
    }
}

/// A user's photo, in every size that is stored.
#[derive(Debug, Clone)]
pub(super) struct IndexedPhoto {
    pub(super) user: UserId,
    /// The original, which names the blobs of its renditions.
    pub(super) photo: Digest,
    pub(super) renditions: Box<[RenditionFacts]>,
    keys: Box<[PhotoKey]>,
    anchor: Option<PhotoKey>,
    observed_at: Timestamp,
}

#[derive(Debug)]
struct IndexedUser {
    /// The newest entry of the trail, which may be a refused one.
    seq: u32,
    /// None if the user has no photo or is not shown.
    photo: Option<IndexedPhoto>,
}

#[derive(Debug, Default)]
pub(super) struct PhotoIndex {
    users: HashMap<UserId, IndexedUser>,
    by_key: HashMap<PhotoKey, Vec<UserId>>,
}

impl PhotoIndex {
    pub(super) fn people(&self) -> usize {
        self.users.len()
    }

    /// The end of the user's trail when it was read last.
    pub(super) fn end_of_trail(&self, user: UserId) -> Option<u32> {
        self.users.get(&user).map(|known| known.seq)
    }

    /// Takes in the end of a user's trail, with the entry that counts if it shows a photo.
    pub(super) fn put(&mut self, user: UserId, seq: u32, entry: Option<AuditEntry>) {
        self.remove(user);
        let photo = entry.and_then(IndexedPhoto::of);
        for key in photo.iter().flat_map(|photo| &photo.keys) {
            let users = self.by_key.entry(*key).or_insert_with(|| Vec::with_capacity(1));
            if let Some(other) = users.first() {
                tracing::warn!(user.id = %user, other.id = %other, "two users have one account name or mail address");
            }
            users.push(user);
        }
        self.users.insert(user, IndexedUser { seq, photo });
    }

    /// Forgets every user who has no trail any more.
    pub(super) fn retain(&mut self, present: &HashSet<UserId>) {
        let gone: Vec<UserId> = self.users.keys().filter(|user| !present.contains(user)).copied().collect();
        for user in gone {
            self.remove(user);
        }
    }

    fn remove(&mut self, user: UserId) {
        let photo = self.users.remove(&user).and_then(|known| known.photo);
        for key in photo.iter().flat_map(|photo| &photo.keys) {
            if let Some(users) = self.by_key.get_mut(key) {
                users.retain(|other| *other != user);
                if users.is_empty() {
                    self.by_key.remove(key);
                }
            }
        }
    }

    /// The one photo that this key means.
    pub(super) fn find(&self, key: &PhotoKey) -> Option<&IndexedPhoto> {
        let photos = || self.by_key.get(key).into_iter().flatten().filter_map(|user| self.users[user].photo.as_ref());
        let newest = photos().max_by_key(|photo| photo.observed_at)?;
        let is_same_person = |other: &IndexedPhoto| other.anchor.is_some() && other.anchor == newest.anchor;
        photos().all(|other| other.user == newest.user || is_same_person(other)).then_some(newest)
    }
}

impl IndexedPhoto {
    fn of(entry: AuditEntry) -> Option<Self> {
        Some(Self {
            user: entry.user_id,
            photo: entry.photo?.sha256,
            renditions: entry.renditions.into_boxed_slice(),
            keys: keys_of(&entry.identity),
            anchor: entry.identity.anchor.as_deref().map(PhotoKey::anchor),
            observed_at: entry.observed_at,
        })
    }

    /// The stored rendition that is nearest to this size in pixels; of two, the larger.
    pub(super) fn nearest(&self, size: u32) -> Option<&RenditionFacts> {
        let side = |rendition: &RenditionFacts| rendition.width.max(rendition.height);
        self.renditions.iter().min_by_key(|rendition| (side(rendition).abs_diff(size), u32::MAX - side(rendition)))
    }
}

fn keys_of(identity: &Identity) -> Box<[PhotoKey]> {
    let mut keys = Vec::new();
    if let Some(account) = &identity.sam_account_name {
        keys.push(PhotoKey::account(account));
    }
    if let Some(mail) = &identity.mail {
        let mail = mail.trim().to_lowercase();
        let md5: String = Md5::digest(mail.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        keys.push(PhotoKey::mail_hash(&md5));
        keys.push(PhotoKey::mail_hash(&Digest::of(mail.as_bytes()).to_string()));
    }
    keys.into_boxed_slice()
}
