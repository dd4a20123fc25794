//! The SQLite side of the queues: the tables, the statements, and the mapping of SQLite's errors.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Statement, params};

use crate::queue::{Delivery, MessageBody, Outgoing, PopReceipt};
use crate::store::StoreError;

type Sql<T> = rusqlite::Result<T>;

/// Stored in the file, so that an older program does not misread the data of a newer one.
const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS queue (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    ) STRICT;
    -- Ids are never reused, so a log line about a message stays unambiguous.
    CREATE TABLE IF NOT EXISTS message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue INTEGER NOT NULL REFERENCES queue (id),
        visible_at INTEGER NOT NULL,
        inserted_at INTEGER NOT NULL,
        dequeue_count INTEGER NOT NULL DEFAULT 0,
        -- Random from the start, so that a delivery changes no length and rewrites no body.
        receipt INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS message_due ON message (queue, visible_at, id);
";

/// Opens and prepares the file; several processes may do so at once.
pub(super) fn open(path: &Path, largest_file: Option<u64>) -> Sql<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    switch_to_wal(&connection)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > SCHEMA_VERSION {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "the file was written by a newer version of this program (schema {version}): update this program"
        )));
    }
    connection.execute_batch(SCHEMA)?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    connection.execute_batch("COMMIT")?;
    if let Some(bytes) = largest_file {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        // SQLite returns the new limit.
        connection.pragma_update_and_check(None, "max_page_count", (bytes / page.max(1)).max(1), |_| Ok(()))?;
    }
    Ok(connection)
}

/// Retries, because two processes that do this at once can collide without SQLite waiting for either.
#[expect(clippy::disallowed_methods, reason = "runs on the writer's own thread, which has nothing else to do yet")]
fn switch_to_wal(connection: &Connection) -> Sql<()> {
    let mut attempts = 0;
    while let Err(error) = connection.pragma_update(None, "journal_mode", "wal") {
        attempts += 1;
        if attempts == 50 || error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The size at which the write-ahead log is copied into the file, in pages of 4 KiB.
const CHECKPOINT_PAGES: u32 = 4_000;

/// A message and the receipt of its consumer.
#[derive(Debug)]
pub(super) struct LeasedMessage {
    pub(super) id: i64,
    pub(super) receipt: i64,
}

impl LeasedMessage {
    /// Returns `None` if the delivery did not come from this store.
    pub(super) fn of(delivery: &Delivery) -> Option<Self> {
        Some(Self { id: delivery.id.parse().ok()?, receipt: delivery.receipt.0.parse().ok()? })
    }
}

/// How many messages one statement inserts, where there are so many: each statement reads and writes the last id.
const ROWS_AT_ONCE: usize = 16;

fn insert_statement(rows: usize) -> String {
    let rows = ["(?, ?, ?, ?, ?)"].repeat(rows).join(", ");
    format!("INSERT INTO message (queue, visible_at, inserted_at, receipt, body) VALUES {rows}")
}

fn insert_rows(statement: &mut Statement<'_>, now: i64, rows: &[(i64, Outgoing)]) -> Sql<()> {
    for ((queue, message), first) in rows.iter().zip((1..).step_by(5)) {
        statement.raw_bind_parameter(first, queue)?;
        statement.raw_bind_parameter(first + 1, now.saturating_add(milliseconds(message.delay)))?;
        statement.raw_bind_parameter(first + 2, now)?;
        statement.raw_bind_parameter(first + 3, new_receipt())?;
        statement.raw_bind_parameter(first + 4, &message.body[..])?;
    }
    statement.raw_execute().map(drop)
}

/// The statements, prepared once.
pub(super) struct QueueTable<'c> {
    connection: &'c Connection,
    begin: Statement<'c>,
    commit: Statement<'c>,
    find: Statement<'c>,
    ensure: Statement<'c>,
    insert: [Statement<'c>; 2],
    due: Statement<'c>,
    hand_out: Statement<'c>,
    renew: Statement<'c>,
    delete: Statement<'c>,
    count: Statement<'c>,
    next_due: Statement<'c>,
    peek: Statement<'c>,
}

impl<'c> QueueTable<'c> {
    pub(super) fn new(connection: &'c Connection) -> Sql<Self> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Self {
            connection,
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            find: prepare("SELECT id FROM queue WHERE name = ?1")?,
            ensure: prepare("INSERT INTO queue (name) VALUES (?1) ON CONFLICT DO NOTHING")?,
            insert: [prepare(&insert_statement(ROWS_AT_ONCE))?, prepare(&insert_statement(1))?],
            due: prepare(
                "SELECT id, dequeue_count, inserted_at, body FROM message
                 WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, id LIMIT ?3",
            )?,
            hand_out: prepare(
                "UPDATE message SET visible_at = ?2, receipt = ?3, dequeue_count = dequeue_count + 1 WHERE id = ?1",
            )?,
            renew: prepare(
                "UPDATE message SET visible_at = ?4, receipt = ?5 WHERE id = ?1 AND queue = ?2 AND receipt = ?3",
            )?,
            delete: prepare("DELETE FROM message WHERE id = ?1 AND queue = ?2 AND receipt = ?3")?,
            count: prepare("SELECT count(*) FROM message WHERE queue = ?1")?,
            next_due: prepare("SELECT min(visible_at) FROM message WHERE queue = ?1")?,
            peek: prepare("SELECT body FROM message WHERE queue = ?1 ORDER BY visible_at, id")?,
        })
    }

    pub(super) fn begin(&mut self) -> Sql<()> {
        self.begin.execute([]).map(drop)
    }

    pub(super) fn commit(&mut self) -> Sql<()> {
        self.commit.execute([]).map(drop)
    }

    /// Whether a transaction is open; SQLite itself ends it after some failures.
    pub(super) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    pub(super) fn roll_back(&self) {
        if self.in_transaction()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "the embedded queues could not roll back");
        }
    }

    pub(super) fn find(&mut self, name: &str) -> Sql<Option<i64>> {
        self.find.query_row([name], |row| row.get(0)).optional()
    }

    pub(super) fn ensure(&mut self, name: &str) -> Sql<()> {
        self.ensure.execute([name]).map(drop)
    }

    /// Each row with its queue.
    pub(super) fn insert(&mut self, now: i64, rows: &[(i64, Outgoing)]) -> Sql<()> {
        let [many, one] = &mut self.insert;
        let (groups, rest) = rows.as_chunks::<ROWS_AT_ONCE>();
        groups.iter().try_for_each(|rows| insert_rows(many, now, rows))?;
        rest.chunks(1).try_for_each(|row| insert_rows(one, now, row))
    }

    pub(super) fn receive(&mut self, queue: i64, now: i64, max: u32, lease: Duration) -> Sql<Vec<Delivery>> {
        let mut deliveries = Vec::new();
        let mut rows = self.due.query(params![queue, now, max])?;
        while let Some(row) = rows.next()? {
            let receipt = new_receipt();
            let inserted_at: i64 = row.get(2)?;
            deliveries.push(Delivery {
                id: row.get::<_, i64>(0)?.to_string(),
                body: MessageBody::Bytes(Bytes::copy_from_slice(row.get_ref(3)?.as_blob()?)),
                dequeue_count: row.get::<_, u32>(1)?.saturating_add(1),
                inserted_at: Timestamp::from_millisecond(inserted_at).unwrap_or(Timestamp::UNIX_EPOCH),
                receipt: PopReceipt(receipt.to_string()),
            });
        }
        drop(rows);
        let visible_at = now.saturating_add(milliseconds(lease));
        for held in deliveries.iter().filter_map(LeasedMessage::of) {
            self.hand_out.execute(params![held.id, visible_at, held.receipt])?;
        }
        Ok(deliveries)
    }

    /// Returns the new receipt if the old one was still valid.
    pub(super) fn renew(
        &mut self,
        queue: i64,
        now: i64,
        held: &LeasedMessage,
        delay: Duration,
    ) -> Sql<Option<PopReceipt>> {
        let receipt = new_receipt();
        let visible_at = now.saturating_add(milliseconds(delay));
        let renewed = self.renew.execute(params![held.id, queue, held.receipt, visible_at, receipt])?;
        Ok((renewed > 0).then(|| PopReceipt(receipt.to_string())))
    }

    pub(super) fn delete(&mut self, queue: i64, held: &LeasedMessage) -> Sql<bool> {
        Ok(self.delete.execute(params![held.id, queue, held.receipt])? > 0)
    }

    pub(super) fn count(&mut self, queue: i64) -> Sql<u64> {
        let count: i64 = self.count.query_row([queue], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// When the next message of this queue becomes visible, in milliseconds since 1970.
    pub(super) fn next_due(&mut self, queue: i64) -> Sql<Option<i64>> {
        self.next_due.query_row([queue], |row| row.get(0))
    }

    pub(super) fn peek(&mut self, queue: i64) -> Sql<Vec<Bytes>> {
        let bodies = self.peek.query_map([queue], |row| Ok(Bytes::copy_from_slice(row.get_ref(0)?.as_blob()?)))?;
        bodies.collect()
    }
}

/// Classifies SQLite's error by what the caller can do about it.
pub(super) fn failure(error: &rusqlite::Error, doing: &str) -> StoreError {
    let (doing, source) = (doing.to_owned(), error.to_string().into());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { doing },
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => StoreError::Denied { doing, source },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Invalid { doing, source },
        None => StoreError::Invalid { doing, source },
        Some(_) => StoreError::Unavailable { doing, source },
    }
}

fn new_receipt() -> i64 {
    fastrand::i64(..)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
