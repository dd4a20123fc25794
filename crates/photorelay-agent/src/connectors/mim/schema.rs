//! The tables of the feed's state, and the numbers that are kept in one of them.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Result, params};
use uuid::Uuid;

use super::format::SEGMENTS;
use super::settings::MimSettings;

const SCHEMA_VERSION: i64 = 1;

/// Keys are compared without case, as importers may do. `people` are the lines `P` and `N`, `tombstones` the lines `X`;
/// `segments` is what was published last, `ldif_base` the keys of the last full export to LDIF. `adopted` has what is
/// published in place of a person's photo for as long as it is this one.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS people (
    user_id TEXT NOT NULL PRIMARY KEY,
    prefix INTEGER NOT NULL,
    key TEXT NOT NULL UNIQUE COLLATE NOCASE,
    anchor TEXT NOT NULL UNIQUE,
    sid TEXT NOT NULL,
    sam_account_name TEXT NOT NULL,
    domain TEXT NOT NULL,
    photo TEXT,
    bytes INTEGER,
    checksum TEXT,
    sequence INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS people_by_segment ON people (prefix, user_id);
CREATE INDEX IF NOT EXISTS people_by_photo ON people (photo);
CREATE TABLE IF NOT EXISTS tombstones (
    key TEXT NOT NULL PRIMARY KEY COLLATE NOCASE,
    user_id TEXT NOT NULL,
    prefix INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS adopted (
    anchor TEXT NOT NULL PRIMARY KEY,
    photo TEXT NOT NULL,
    shown TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    checksum TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS adopted_by_shown ON adopted (shown);
CREATE TABLE IF NOT EXISTS segments (
    prefix INTEGER NOT NULL PRIMARY KEY,
    digest TEXT,
    people INTEGER NOT NULL DEFAULT 0,
    highest INTEGER NOT NULL DEFAULT 0,
    dirty INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE IF NOT EXISTS ldif_base (key TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID;
";

/// Numbers of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counter {
    /// Of the last change.
    Sequence,
    Floor,
    /// The sequence, people and photos of the last publication.
    PublishedSequence,
    PublishedPeople,
    PublishedPhotos,
    /// Photos that were removed, and people who went, since then: each was decided before.
    RemovedPhotos,
    RemovedPeople,
    /// When files were cleaned up last, in Unix seconds.
    CleanedAt,
    /// Of the publication that was exported to LDIF last as a whole.
    LdifSequence,
}

impl Counter {
    fn name(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Floor => "floor",
            Self::PublishedSequence => "published_sequence",
            Self::PublishedPeople => "published_people",
            Self::PublishedPhotos => "published_photos",
            Self::RemovedPhotos => "removed_photos",
            Self::RemovedPeople => "removed_people",
            Self::CleanedAt => "cleaned_at",
            Self::LdifSequence => "ldif_sequence",
        }
    }

    pub(super) fn get(self, connection: &Connection) -> Result<u64> {
        let found: Option<i64> = text(connection, self.name())?;
        Ok(found.and_then(|number| u64::try_from(number).ok()).unwrap_or_default())
    }

    pub(super) fn set(self, connection: &Connection, number: u64) -> Result<()> {
        set_text(connection, self.name(), i64::try_from(number).unwrap_or(i64::MAX))
    }

    pub(super) fn add(self, connection: &Connection, more: u64) -> Result<u64> {
        let sum = self.get(connection)?.saturating_add(more);
        self.set(connection, sum)?;
        Ok(sum)
    }
}

pub(super) fn text<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> Result<Option<T>> {
    connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()
}

pub(super) fn set_text(connection: &Connection, name: &str, value: impl rusqlite::ToSql) -> Result<()> {
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?;
    statement.execute(params![name, value]).map(drop)
}

/// Opens the state, creating it if it is not there.
pub(super) fn open(path: &Path, settings: &MimSettings) -> Result<Connection> {
    let mut connection = Connection::open(path)?;
    prepare(&connection)?;
    // One synchronisation for each change instead of three. The state is on a local disk, as this needs.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > SCHEMA_VERSION {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "it was written by a newer version of this program (schema {version}): update this program"
        )));
    }
    transaction.execute_batch(SCHEMA)?;
    if text::<String>(&transaction, "epoch")?.is_none() {
        begin(&transaction, settings)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    Ok(connection)
}

/// Opens a state that is there; nothing can be changed through it.
pub(super) fn open_read_only(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<()> {
    connection.busy_timeout(Duration::from_secs(30))?;
    connection.pragma_update(None, "foreign_keys", false)
}

/// A new epoch, in which everything is yet to be published.
pub(super) fn begin(connection: &Connection, settings: &MimSettings) -> Result<()> {
    set_text(connection, "epoch", Uuid::new_v4().to_string())?;
    set_text(connection, "epoch_began", Timestamp::now().as_second())?;
    set_text(connection, "key", settings.key.to_string())?;
    set_text(connection, "checksum", settings.checksum.to_string())?;
    for prefix in 0..SEGMENTS {
        connection.execute("INSERT OR REPLACE INTO segments (prefix) VALUES (?1)", [prefix])?;
    }
    Counter::PublishedSequence.set(connection, 0)
}
