//! What the agent has accepted for the feed, durably: who is in it, with which photo, and the number of each change.
//!
//! A person is one line, found by the on-premises anchor; the key that importers use is unique. Photos are on the disk
//! before a line names them. Nothing here is seen by readers until it is published.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::contract::Identity;
use photorelay_core::id::{Digest, UserId};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::FeedError;
use super::format::FeedEpoch;
use super::line::{LinePhoto, LineState, PersonLine};
use super::photos::{create_folder, photo_path, read_photo, touch, write_photo};
use super::schema::{self, Counter};
use super::settings::MimSettings;
use crate::connectors::Replacement;

pub(super) const COLUMNS: &str =
    "user_id, key, anchor, sid, sam_account_name, domain, photo, bytes, checksum, sequence";

/// The same columns with what is published: an adopted photo in place of the person's, as long as it stands for that one.
pub(super) const PUBLISHED: &str = "people.user_id, people.key, people.anchor, people.sid, people.sam_account_name, \
     people.domain, coalesce(adopted.shown, people.photo), coalesce(adopted.bytes, people.bytes), \
     coalesce(adopted.checksum, people.checksum), people.sequence FROM people LEFT JOIN adopted \
     ON adopted.anchor = people.anchor AND adopted.photo = people.photo";

#[derive(Debug)]
pub struct FeedStore {
    pub(super) settings: MimSettings,
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl FeedStore {
    /// Opens the feed, creating it if it is not there.
    pub fn open(settings: MimSettings) -> Result<Self, FeedError> {
        Self::open_unchecked(settings)?.checked()
    }

    pub(super) fn open_unchecked(settings: MimSettings) -> Result<Self, FeedError> {
        create_folder(&settings.feed)?;
        create_folder(&settings.state)?;
        let path = state_file(&settings);
        let connection = schema::open(&path, &settings).map_err(failed(&path))?;
        Ok(Self { settings, path, connection: Mutex::new(connection) })
    }

    /// None if there is no feed yet. Through it nothing can be changed.
    pub fn open_read_only(settings: MimSettings) -> Result<Option<Self>, FeedError> {
        let path = state_file(&settings);
        if !path.is_file() {
            return Ok(None);
        }
        let connection = schema::open_read_only(&path).map_err(failed(&path))?;
        Self { settings, path, connection: Mutex::new(connection) }.checked().map(Some)
    }

    /// Settings that are in the feed already cannot be changed by the way.
    fn checked(self) -> Result<Self, FeedError> {
        let (key, checksum) = (self.settings.key.to_string(), self.settings.checksum.to_string());
        for (name, setting, wanted) in
            [("key", "PHOTORELAY_MIM_ANCHOR", key), ("checksum", "PHOTORELAY_MIM_CHECKSUM", checksum)]
        {
            let made_with: Option<String> = self.read(|connection| schema::text(connection, name))?;
            if let Some(made_with) = made_with.filter(|made_with| *made_with != wanted) {
                return Err(FeedError::Unusable(format!(
                    "the feed was made with {setting}={made_with}, and the setting is {wanted} now: set it back, or run \
                     `photorelay-agent mim rebuild` and then a full import"
                )));
            }
        }
        Ok(self)
    }

    pub fn epoch(&self) -> Result<FeedEpoch, FeedError> {
        self.read(epoch)
    }

    /// What was finished before this did not fill the feed.
    pub fn epoch_began(&self) -> Result<Timestamp, FeedError> {
        let seconds: Option<i64> = self.read(|connection| schema::text(connection, "epoch_began"))?;
        Ok(seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::MAX))
    }

    /// The photo of the person with this anchor, or of this user if no person has the anchor.
    pub(super) fn shown(&self, user: UserId, anchor: &str) -> Result<Option<Bytes>, FeedError> {
        let line = self.read(|connection| match by(connection, "anchor", anchor)? {
            None => by(connection, "user_id", &user.to_string()),
            line => Ok(line),
        })?;
        self.photo_of(line.as_ref())
    }

    /// Another person who has this key.
    pub(super) fn key_owner(&self, user: UserId, anchor: &str, key: &str) -> Result<Option<UserId>, FeedError> {
        let line = self.read(|connection| by(connection, "key", key))?;
        Ok(line.filter(|line| line.anchor != anchor && line.user != user).map(|line| line.user))
    }

    pub(super) fn photo_at(&self, anchor: &str) -> Result<Option<Bytes>, FeedError> {
        let line = self.read(|connection| by(connection, "anchor", anchor))?;
        self.photo_of(line.as_ref())
    }

    fn photo_of(&self, line: Option<&PersonLine>) -> Result<Option<Bytes>, FeedError> {
        match line.and_then(|line| line.photo.as_ref()) {
            Some(photo) => read_photo(&self.settings.feed, photo.digest),
            None => Ok(None),
        }
    }

    /// Makes the line of this anchor this user's, with the present identity; its photo stays.
    pub(super) fn claim(&self, user: UserId, identity: &Identity, anchor: &str, key: &str) -> Result<(), FeedError> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        self.check_adopted(anchor)?;
        self.write(|transaction| {
            let same_anchor = by(transaction, "anchor", anchor)?;
            let same_user = by(transaction, "user_id", &user.to_string())?;
            let photo = same_anchor.as_ref().or(same_user.as_ref()).and_then(|line| line.photo.clone());
            let mut line = PersonLine {
                sequence: same_anchor.as_ref().map_or(0, |line| line.sequence),
                state: if photo.is_some() { LineState::Photo } else { LineState::NoPhoto },
                key: key.to_owned(),
                user,
                anchor: anchor.to_owned(),
                sid: text(&identity.sid),
                sam_account_name: text(&identity.sam_account_name),
                domain: text(&identity.domain),
                photo,
            };
            if same_anchor.as_ref() == Some(&line) {
                return Ok(());
            }
            line.sequence = Counter::Sequence.add(transaction, 1)?;
            let mut gone: Vec<_> = [same_anchor, same_user].into_iter().flatten().collect();
            gone.dedup_by_key(|line| line.user);
            // All but one line go; that one becomes the new line.
            Counter::RemovedPeople.add(transaction, gone.len().saturating_sub(1) as u64)?;
            for earlier in gone {
                delete(transaction, &earlier)?;
                let kept = line.photo.as_ref().filter(|_| earlier.anchor == line.anchor).map(|photo| photo.digest);
                self.end_adoption(transaction, &earlier.anchor, kept)?;
                if earlier.key != line.key {
                    leave_tombstone(transaction, &earlier)?;
                }
            }
            insert(transaction, &line)
        })
    }

    /// Replaces the photo of the person with this anchor if it is the one that was read.
    pub(super) fn replace(
        &self,
        anchor: &str,
        read: Option<&Bytes>,
        new: Option<&Bytes>,
    ) -> Result<Replacement, FeedError> {
        let checksum = new.map(|photo| self.settings.checksum.of(photo));
        let feed = &self.settings.feed;
        self.write_with(|transaction| {
            let state = |error| self.failed(error);
            let Some(mut line) = by(transaction, "anchor", anchor).map_err(state)? else {
                return Ok(Replacement::ChangedMeanwhile);
            };
            if self.photo_of(Some(&line))?.as_ref() != read {
                return Ok(Replacement::ChangedMeanwhile);
            }
            if let Some(photo) = new {
                write_photo(feed, photo)?;
            } else {
                Counter::RemovedPhotos.add(transaction, 1).map_err(state)?;
            }
            if let Some(earlier) = &line.photo {
                // Readers of earlier publications have some days from now on. A damaged file may be gone already.
                let _ = touch(&photo_path(feed, earlier.digest), Timestamp::now().as_second());
            }
            line.photo = new.zip(checksum).map(|(photo, checksum)| LinePhoto {
                digest: Digest::of(photo),
                bytes: photo.len() as u64,
                checksum,
            });
            let digest = line.photo.as_ref().map(|photo| photo.digest);
            self.end_adoption(transaction, anchor, digest).map_err(state)?;
            line.sequence = Counter::Sequence.add(transaction, 1).map_err(state)?;
            delete(transaction, &line).and_then(|()| insert(transaction, &line)).map_err(state)?;
            Ok(Replacement::Done)
        })
    }

    /// Takes a person out of the feed: an operator's decision. False if they are not in it.
    pub fn remove(&self, user: UserId) -> Result<bool, FeedError> {
        self.write(|transaction| {
            let Some(line) = by(transaction, "user_id", &user.to_string())? else { return Ok(false) };
            Counter::RemovedPeople.add(transaction, 1)?;
            Counter::RemovedPhotos.add(transaction, u64::from(line.photo.is_some()))?;
            delete(transaction, &line)?;
            self.end_adoption(transaction, &line.anchor, None)?;
            leave_tombstone(transaction, &line)?;
            Ok(true)
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(&self, error: rusqlite::Error) -> FeedError {
        failed(&self.path)(error)
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, FeedError> {
        work(&self.connection()).map_err(|error| self.failed(error))
    }

    pub(super) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, FeedError> {
        self.write_with(|transaction| work(transaction).map_err(|error| self.failed(error)))
    }

    /// All of it or nothing, and no other writer in between, of this process or another.
    pub(super) fn write_with<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, FeedError>,
    ) -> Result<T, FeedError> {
        let mut connection = self.connection();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| self.failed(e))?;
        let done = work(&transaction)?;
        transaction.commit().map_err(|error| self.failed(error))?;
        Ok(done)
    }
}

fn state_file(settings: &MimSettings) -> PathBuf {
    settings.state.join("feed.sqlite")
}

fn failed(path: &Path) -> impl Fn(rusqlite::Error) -> FeedError {
    move |source| FeedError::State { path: path.display().to_string(), source }
}

pub(super) fn epoch(connection: &Connection) -> rusqlite::Result<FeedEpoch> {
    let text: Option<String> = schema::text(connection, "epoch")?;
    text.and_then(|text| text.parse().ok()).ok_or(rusqlite::Error::QueryReturnedNoRows)
}

pub(super) fn by(connection: &Connection, column: &'static str, value: &str) -> rusqlite::Result<Option<PersonLine>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM people WHERE {column} = ?1"))?;
    statement.query_row([value], person).optional()
}

/// A row of `people` with the columns [`COLUMNS`].
pub(super) fn person(row: &Row<'_>) -> rusqlite::Result<PersonLine> {
    let photo: Option<String> = row.get(6)?;
    let photo = match photo {
        Some(digest) => Some(LinePhoto { digest: parsed(row, 6, &digest)?, bytes: row.get(7)?, checksum: row.get(8)? }),
        None => None,
    };
    Ok(PersonLine {
        sequence: row.get(9)?,
        state: if photo.is_some() { LineState::Photo } else { LineState::NoPhoto },
        key: row.get(1)?,
        user: parsed(row, 0, &row.get::<_, String>(0)?)?,
        anchor: row.get(2)?,
        sid: row.get(3)?,
        sam_account_name: row.get(4)?,
        domain: row.get(5)?,
        photo,
    })
}

pub(super) fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize, text: &str) -> rusqlite::Result<T> {
    let name = row.as_ref().column_name(column)?.to_owned();
    text.parse().map_err(|_| rusqlite::Error::InvalidColumnType(column, name, rusqlite::types::Type::Text))
}

/// The first byte of the user ID, which names the segment.
pub(super) fn prefix(user: UserId) -> u8 {
    user.as_uuid().as_bytes()[0]
}

pub(super) fn mark_dirty(connection: &Connection, user: UserId) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("UPDATE segments SET dirty = 1 WHERE prefix = ?1")?;
    statement.execute([prefix(user)]).map(drop)
}

fn delete(transaction: &Transaction<'_>, line: &PersonLine) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("DELETE FROM people WHERE user_id = ?1")?;
    statement.execute([line.user.to_string()])?;
    mark_dirty(transaction, line.user)
}

fn insert(transaction: &Transaction<'_>, line: &PersonLine) -> rusqlite::Result<()> {
    let mut tombstone = transaction.prepare_cached("DELETE FROM tombstones WHERE key = ?1 RETURNING user_id")?;
    let buried: Option<String> = tombstone.query_row([&line.key], |row| row.get(0)).optional()?;
    if let Some(user) = buried.and_then(|user| user.parse().ok()) {
        mark_dirty(transaction, user)?;
    }
    let sql = format!("INSERT INTO people ({COLUMNS}, prefix) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
    let photo = line.photo.as_ref();
    transaction.prepare_cached(&sql)?.execute(params![
        line.user.to_string(),
        line.key,
        line.anchor,
        line.sid,
        line.sam_account_name,
        line.domain,
        photo.map(|photo| photo.digest.to_string()),
        photo.map(|photo| photo.bytes),
        photo.map(|photo| &photo.checksum),
        line.sequence,
        prefix(line.user),
    ])?;
    mark_dirty(transaction, line.user)
}

/// Leaves a tombstone, so that deltas delete the key.
fn leave_tombstone(transaction: &Transaction<'_>, line: &PersonLine) -> rusqlite::Result<()> {
    let sequence = Counter::Sequence.add(transaction, 1)?;
    let sql = "INSERT OR REPLACE INTO tombstones (key, user_id, prefix, sequence, at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let at = Timestamp::now().as_second();
    let user = line.user.to_string();
    transaction.prepare_cached(sql)?.execute(params![line.key, user, prefix(line.user), sequence, at])?;
    mark_dirty(transaction, line.user)
}
