//! Keeps the bytes and the checksum that a former management agent imported, for as long as the picture stays the same:
//! other bytes of the same picture would be exported to wherever the photos go, for everyone at once.
//!
//! What is kept stands over the rendition in publications only. For the agent, the feed shows the rendition; the picture
//! that replaces it ends this, and so does an operator. Nothing here removes a person or a photo.

use std::path::Path;

use bytes::Bytes;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::photo::{Fingerprint, PhotoLimits, decode};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;

use super::FeedError;
use super::connector_space::{SpaceNames, SpaceObject, SpacePhoto, check_names, read_connector_space};
use super::photos::{photo_path, read_photo, touch, write_photo};
use super::schema::Counter;
use super::store::{FeedStore, PUBLISHED, by, mark_dirty, parsed, person};

/// What became of one object of a connector space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adoption {
    /// Its bytes and its checksum are published from now on.
    Adopted,
    /// They are published already.
    AlreadySame,
    /// The feed has another picture.
    OtherPicture,
    /// Whether it is the same picture cannot be said.
    Undecided,
    /// The object or the person has no photo.
    WithoutPhoto,
    /// No person of the feed has this key.
    NotInFeed,
}

/// What became of all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdoptionReport {
    pub objects: u64,
    pub adopted: u64,
    pub already_same: u64,
    pub other_picture: u64,
    pub undecided: u64,
    pub without_photo: u64,
    pub not_in_feed: u64,
}

impl AdoptionReport {
    fn add(&mut self, adoption: Adoption) {
        self.objects += 1;
        match adoption {
            Adoption::Adopted => self.adopted += 1,
            Adoption::AlreadySame => self.already_same += 1,
            Adoption::OtherPicture => self.other_picture += 1,
            Adoption::Undecided => self.undecided += 1,
            Adoption::WithoutPhoto => self.without_photo += 1,
            Adoption::NotInFeed => self.not_in_feed += 1,
        }
    }
}

impl FeedStore {
    /// Adopts what it can of the output of csexport: of a file that was read to its end once, and is whole. What was
    /// adopted before the feed itself failed stays.
    pub fn adopt_all(
        &self,
        path: &Path,
        max_bytes: u64,
        names: &SpaceNames,
        mut advance: impl FnMut(),
    ) -> Result<AdoptionReport, FeedError> {
        let mut with_photo = 0;
        let objects = read_connector_space(path, max_bytes, names, |object| {
            with_photo += u64::from(object.photo.is_some());
            Ok(())
        })?;
        check_names(path, objects, with_photo, names)?;
        let mut report = AdoptionReport::default();
        read_connector_space(path, max_bytes, names, |object| {
            report.add(self.adopt(&object)?);
            advance();
            Ok(())
        })?;
        Ok(report)
    }

    /// Has the object's bytes and checksum published if the feed has the same picture.
    pub(super) fn adopt(&self, object: &SpaceObject) -> Result<Adoption, FeedError> {
        let Some(line) = self.read(|connection| by(connection, "key", &object.key))? else {
            return Ok(Adoption::NotInFeed);
        };
        let (old, own) = match (&object.photo, &line.photo) {
            (None, _) | (_, None) => return Ok(Adoption::WithoutPhoto),
            (Some(SpacePhoto::Unusable), _) => return Ok(Adoption::Undecided),
            (Some(SpacePhoto::Bytes(old)), Some(own)) => (old, own.digest),
        };
        let checksum = match &object.checksum {
            Some(checksum) if is_checksum(checksum) => checksum.clone(),
            _ => self.settings.checksum.of(old),
        };
        let digest = Digest::of(old);
        let published = self.read(|connection| published(connection, &line.anchor))?;
        if published == Some((digest, checksum.clone())) {
            return Ok(Adoption::AlreadySame);
        }
        if digest != own {
            let Some(rendition) = read_photo(&self.settings.feed, own)? else { return Ok(Adoption::Undecided) };
            match (fingerprint(old), fingerprint(&rendition)) {
                (Some(old), Some(rendition)) if old.is_close(&rendition) => {}
                (Some(_), Some(_)) => return Ok(Adoption::OtherPicture),
                _ => return Ok(Adoption::Undecided),
            }
        }
        let adoption = self.write_with(|transaction| {
            let state = |error| self.failed(error);
            let now = by(transaction, "anchor", &line.anchor).map_err(state)?;
            // The agent may have replaced it meanwhile.
            let Some(now) = now.filter(|now| now.photo == line.photo) else { return Ok(Adoption::OtherPicture) };
            write_photo(&self.settings.feed, old)?;
            self.let_go(transaction, &now.anchor).map_err(state)?;
            let sql = "INSERT INTO adopted (anchor, photo, shown, bytes, checksum) VALUES (?1, ?2, ?3, ?4, ?5)";
            let values = params![now.anchor, own.to_string(), digest.to_string(), old.len() as u64, checksum];
            transaction.prepare_cached(sql).and_then(|mut insert| insert.execute(values)).map_err(state)?;
            changed(transaction, &now.anchor).map_err(state)?;
            Ok(Adoption::Adopted)
        })?;
        if adoption == Adoption::Adopted {
            tracing::info!(user.id = %line.user, rendition = %own, shows = %digest, "an imported photo was adopted");
        }
        Ok(adoption)
    }

    /// Everyone for whom something was adopted.
    pub fn adopted_users(&self) -> Result<Vec<UserId>, FeedError> {
        self.read(|connection| {
            let sql = "SELECT user_id FROM people JOIN adopted ON adopted.anchor = people.anchor ORDER BY user_id";
            let user = |row: &rusqlite::Row<'_>| parsed(row, 0, &row.get::<_, String>(0)?);
            connection.prepare_cached(sql)?.query_map([], user)?.collect()
        })
    }

    /// Has the user's rendition published again. False if nothing was adopted for them.
    pub fn undo_adoption(&self, user: UserId) -> Result<bool, FeedError> {
        self.write(|transaction| {
            let Some(line) = by(transaction, "user_id", &user.to_string())? else { return Ok(false) };
            if stands_for(transaction, &line.anchor)?.is_none() {
                return Ok(false);
            }
            self.let_go(transaction, &line.anchor)?;
            changed(transaction, &line.anchor)?;
            Ok(true)
        })
    }

    /// Ends what was adopted for the person with this anchor, unless the picture is still this one.
    pub(super) fn end_adoption(
        &self,
        transaction: &Transaction<'_>,
        anchor: &str,
        unless: Option<Digest>,
    ) -> rusqlite::Result<()> {
        match stands_for(transaction, anchor)? {
            Some((photo, _)) if Some(photo) != unless => self.let_go(transaction, anchor),
            _ => Ok(()),
        }
    }

    /// Publishes the rendition instead if the file that was adopted is missing or damaged: nothing else can bring it back.
    pub(super) fn check_adopted(&self, anchor: &str) -> Result<(), FeedError> {
        let adopted = self.read(|connection| stands_for(connection, anchor))?;
        let Some((_, shown)) = adopted else { return Ok(()) };
        if read_photo(&self.settings.feed, shown)?.is_some() {
            return Ok(());
        }
        self.write(|transaction| self.let_go(transaction, anchor).and_then(|()| changed(transaction, anchor)))
    }

    fn let_go(&self, transaction: &Transaction<'_>, anchor: &str) -> rusqlite::Result<()> {
        let mut statement = transaction.prepare_cached("DELETE FROM adopted WHERE anchor = ?1 RETURNING shown")?;
        let shown: Option<String> = statement.query_row([anchor], |row| row.get(0)).optional()?;
        if let Some(shown) = shown.and_then(|shown| shown.parse().ok()) {
            // Readers of earlier publications have some days from now on. A damaged file may be gone already.
            let _ = touch(&photo_path(&self.settings.feed, shown), jiff::Timestamp::now().as_second());
        }
        Ok(())
    }
}

/// The person's line is published anew.
fn changed(transaction: &Transaction<'_>, anchor: &str) -> rusqlite::Result<()> {
    let Some(line) = by(transaction, "anchor", anchor)? else { return Ok(()) };
    let sequence = Counter::Sequence.add(transaction, 1)?;
    let mut update = transaction.prepare_cached("UPDATE people SET sequence = ?2 WHERE anchor = ?1")?;
    update.execute(params![anchor, sequence])?;
    mark_dirty(transaction, line.user)
}

/// Photo and checksum as they are published.
fn published(connection: &Connection, anchor: &str) -> rusqlite::Result<Option<(Digest, String)>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {PUBLISHED} WHERE people.anchor = ?1"))?;
    let line = statement.query_row([anchor], person).optional()?;
    Ok(line.and_then(|line| line.photo).map(|photo| (photo.digest, photo.checksum)))
}

/// The rendition that something was adopted for, and what was.
fn stands_for(connection: &Connection, anchor: &str) -> rusqlite::Result<Option<(Digest, Digest)>> {
    let mut statement = connection.prepare_cached("SELECT photo, shown FROM adopted WHERE anchor = ?1")?;
    let digests = |row: &rusqlite::Row<'_>| {
        let [photo, shown]: [String; 2] = [row.get(0)?, row.get(1)?];
        Ok((parsed(row, 0, &photo)?, parsed(row, 1, &shown)?))
    };
    statement.query_row([anchor], digests).optional()
}

fn fingerprint(photo: &Bytes) -> Option<Fingerprint> {
    decode(photo, &PhotoLimits::default()).ok().map(|upright| upright.fingerprint())
}

/// A text that can stand in a field of the feed as it is: digests in hex or base64.
fn is_checksum(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"+/=-".contains(&c))
}
