//! Publishes what the store has accepted: segments that changed, the manifest, and last of all `current`, by rename.
//!
//! A feed that was never filled, or shrank without a decision, is not published: importers would take people who are
//! missing for deleted, and clear their photos downstream. Repeating a publication that was interrupted writes the same files.

use std::fs;
use std::path::{Path, PathBuf};

use photorelay_core::contract::PublishedFeed;
use photorelay_core::deletion_slots::FEWEST_REMOVALS;
use photorelay_core::id::{Digest, UserId};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::FeedError;
use super::cleanup::clean_up;
use super::format::{FeedHead, MAX_HEAD_BYTES, SEGMENTS, SegmentEntry, manifest_name, manifest_text};
use super::line::{LineState, PersonLine};
use super::photos::{create_folder, touch};
use super::schema::{self, Counter};
use super::store::{FeedStore, PUBLISHED, epoch, parsed, person};
use crate::connectors::files::{read_limited, write_whole};

/// The epoch that was filled.
const FILLED: &str = "filled_epoch";
const DAY: i64 = 24 * 3600;
/// In seconds.
const SAY_AGAIN_AFTER: i64 = 3600;

#[derive(Debug, Clone, Copy, Default)]
pub struct PublishOptions<'a> {
    /// Unix time in seconds.
    pub now: i64,
    /// What was published last as far as the storage knows: a feed that is older was restored from a backup.
    pub known: Option<&'a PublishedFeed>,
    /// A full reconciliation that began in this epoch has finished: everyone who belongs in the feed is.
    pub is_filled: bool,
    /// An operator has looked at it.
    pub allow_shrink: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// Nothing changed since the last one.
    Unchanged,
    Published {
        head: FeedHead,
        photos: u64,
    },
    /// The first full reconciliation is not through: a full import would delete the people who are missing.
    Filling,
    /// It waits for an operator; readers see the last one.
    Withheld {
        reason: String,
    },
}

impl FeedStore {
    pub fn publish(&self, options: PublishOptions<'_>) -> Result<Publication, FeedError> {
        let feed = &self.settings.feed;
        self.write_with(|transaction| {
            let state = |error| self.failed(error);
            self.begin_again_if_restored(transaction, options.known).map_err(state)?;
            self.expire_tombstones(transaction, options.now).map_err(state)?;
            let published = published_segments(transaction, feed).map_err(state)?;
            let counts = FeedCounts::read(transaction, &published).map_err(state)?;
            if let Some(head) = counts.published_head(feed) {
                self.keep_young(head, options.now)?;
                return Ok(Publication::Unchanged);
            }
            if !options.allow_shrink && !is_filled(transaction, options.is_filled).map_err(state)? {
                return Ok(Publication::Filling);
            }
            if !options.allow_shrink
                && let Some(reason) = counts.shrunk(options.known, self.settings.shrink_percent)
            {
                return Ok(Publication::Withheld { reason });
            }
            let segments = self.write_segments(transaction, published, options.now)?;
            let head = self.write_head(transaction, &segments, options.now)?;
            self.record(transaction, &head, counts.photos).map_err(state)?;
            clean_up(transaction, feed, &head, options.now).map_err(state)?;
            Ok(Publication::Published { head, photos: counts.photos })
        })
    }

    /// A state that was restored from a backup counts anew from an earlier number, so the numbers need a new epoch.
    fn begin_again_if_restored(&self, connection: &Connection, known: Option<&PublishedFeed>) -> rusqlite::Result<()> {
        let Some(known) = known else { return Ok(()) };
        if known.epoch == epoch(connection)?.0 && known.sequence > Counter::Sequence.get(connection)? {
            tracing::warn!("the feed was restored from a backup: a new epoch begins, and importers need a full import");
            schema::begin(connection, &self.settings)?;
        }
        Ok(())
    }

    fn expire_tombstones(&self, connection: &Connection, now: i64) -> rusqlite::Result<()> {
        let oldest = now - i64::from(self.settings.tombstone_days) * DAY;
        let mut statement =
            connection.prepare_cached("DELETE FROM tombstones WHERE at < ?1 RETURNING prefix, sequence")?;
        let dropped: Vec<(u8, u64)> =
            statement.query_map([oldest], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let Some(highest) = dropped.iter().map(|(_, sequence)| *sequence).max() else { return Ok(()) };
        for (prefix, _) in dropped {
            connection.execute("UPDATE segments SET dirty = 1 WHERE prefix = ?1", [prefix])?;
        }
        let floor = Counter::Floor.get(connection)?.max(highest);
        Counter::Floor.set(connection, floor)?;
        // Another content needs another number.
        Counter::Sequence.add(connection, 1).map(drop)
    }

    /// Writes the segments that changed, and returns all of them.
    fn write_segments(
        &self,
        connection: &Connection,
        published: Vec<(SegmentEntry, bool)>,
        now: i64,
    ) -> Result<Vec<SegmentEntry>, FeedError> {
        let state = |error| self.failed(error);
        let mut segments = Vec::with_capacity(SEGMENTS);
        for (prefix, (published, is_dirty)) in (0..=u8::MAX).zip(published) {
            if !is_dirty {
                segments.push(published);
                continue;
            }
            let (text, segment) = compose(connection, prefix).map_err(state)?;
            if let Some(digest) = segment.digest {
                let path = segment_path(&self.settings.feed, prefix, digest);
                create_folder(path.parent().unwrap_or(&self.settings.feed))?;
                write_whole(&path, text.as_bytes()).map_err(FeedError::file(&path))?;
            }
            if let Some(earlier) = published.digest.filter(|_| published.digest != segment.digest) {
                // It stays for a day from now on. One that is missing is what was just written again.
                let _ = touch(&segment_path(&self.settings.feed, prefix, earlier), now);
            }
            store_segment(connection, prefix, &segment).map_err(state)?;
            segments.push(segment);
        }
        Ok(segments)
    }

    fn write_head(&self, connection: &Connection, segments: &[SegmentEntry], now: i64) -> Result<FeedHead, FeedError> {
        let feed = &self.settings.feed;
        let state = |error| self.failed(error);
        let manifest = manifest_text(segments);
        let head = FeedHead {
            epoch: epoch(connection).map_err(state)?,
            sequence: Counter::Sequence.get(connection).map_err(state)?,
            floor: Counter::Floor.get(connection).map_err(state)?,
            manifest: Digest::of(manifest.as_bytes()),
            people: segments.iter().map(|segment| segment.people).sum(),
            published: now,
        };
        let earlier = Counter::PublishedSequence.get(connection).map_err(state)?;
        // It stays for a day from now on. There is none before the first publication.
        let _ = touch(&manifest_path(feed, &manifest_name(head.epoch, earlier)), now);
        let path = manifest_path(feed, &head.manifest_name());
        create_folder(path.parent().unwrap_or(feed))?;
        write_whole(&path, manifest.as_bytes()).map_err(FeedError::file(&path))?;
        let current = feed.join("current");
        write_whole(&current, head.to_text().as_bytes()).map_err(FeedError::file(&current))?;
        Ok(head)
    }

    /// A feed in which nothing changes says now and then that it is not abandoned.
    fn keep_young(&self, head: FeedHead, now: i64) -> Result<(), FeedError> {
        if now - head.published < SAY_AGAIN_AFTER {
            return Ok(());
        }
        let current = self.settings.feed.join("current");
        let head = FeedHead { published: now, ..head };
        write_whole(&current, head.to_text().as_bytes()).map_err(FeedError::file(&current))
    }

    fn record(&self, connection: &Connection, head: &FeedHead, photos: u64) -> rusqlite::Result<()> {
        Counter::PublishedSequence.set(connection, head.sequence)?;
        Counter::PublishedPeople.set(connection, head.people)?;
        Counter::PublishedPhotos.set(connection, photos)?;
        Counter::RemovedPeople.set(connection, 0)?;
        Counter::RemovedPhotos.set(connection, 0)
    }
}

/// What a publication would show, and what the last one showed.
struct FeedCounts {
    /// Whether the state was published as it is.
    is_published: bool,
    epoch: Uuid,
    sequence: u64,
    people: u64,
    photos: u64,
    published_people: u64,
    published_photos: u64,
    removed_people: u64,
    removed_photos: u64,
}

impl FeedCounts {
    fn read(connection: &Connection, segments: &[(SegmentEntry, bool)]) -> rusqlite::Result<Self> {
        let (people, photos) = connection
            .query_row("SELECT count(*), count(photo) FROM people", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let sequence = Counter::Sequence.get(connection)?;
        Ok(Self {
            is_published: segments.iter().all(|(_, is_dirty)| !is_dirty)
                && sequence == Counter::PublishedSequence.get(connection)?,
            epoch: epoch(connection)?.0,
            sequence,
            people,
            photos,
            published_people: Counter::PublishedPeople.get(connection)?,
            published_photos: Counter::PublishedPhotos.get(connection)?,
            removed_people: Counter::RemovedPeople.get(connection)?,
            removed_photos: Counter::RemovedPhotos.get(connection)?,
        })
    }

    /// What `current` says, if that is just this.
    fn published_head(&self, feed: &Path) -> Option<FeedHead> {
        let text = read_limited(&feed.join("current"), MAX_HEAD_BYTES).ok()??;
        let head = FeedHead::parse(&text).ok().filter(|_| self.is_published)?;
        ((head.epoch.0, head.sequence) == (self.epoch, self.sequence)).then_some(head)
    }

    /// Why this is not published: more went than was decided.
    fn shrunk(&self, known: Option<&PublishedFeed>, percent: u32) -> Option<String> {
        // What the storage knows counts where this state is another one: it was lost.
        let known = known.filter(|known| known.epoch != self.epoch);
        let before = |own: u64, known: Option<u64>| own.max(known.unwrap_or_default());
        let counts = [
            ("people", before(self.published_people, known.map(|k| k.people)), self.people, self.removed_people),
            ("photos", before(self.published_photos, known.map(|k| k.photos)), self.photos, self.removed_photos),
        ];
        counts.into_iter().find_map(|(what, before, now, decided)| {
            let allowed = (before * u64::from(percent) / 100).max(u64::from(FEWEST_REMOVALS));
            let lost = before.saturating_sub(now).saturating_sub(decided);
            (lost > allowed).then(|| {
                format!(
                    "it would shrink from {before} to {now} {what}, and only {decided} of them went by a decision: \
                     importers keep the last publication. If the state was lost, wait until the full reconciliation has \
                     filled it again; if it is right, run `photorelay-agent mim publish --allow-shrink`"
                )
            })
        })
    }
}

/// Once filled, an epoch stays so.
pub(super) fn is_filled(connection: &Connection, is_now: bool) -> rusqlite::Result<bool> {
    let epoch = epoch(connection)?.to_string();
    if is_now {
        schema::set_text(connection, FILLED, &epoch)?;
    }
    Ok(schema::text::<String>(connection, FILLED)? == Some(epoch))
}

pub(super) fn segment_path(feed: &Path, prefix: u8, digest: Digest) -> PathBuf {
    feed.join("segments").join(format!("{prefix:02x}")).join(format!("{digest}.tsv"))
}

pub(super) fn manifest_path(feed: &Path, name: &str) -> PathBuf {
    feed.join("manifests").join(name)
}

/// Every segment as it was published, and whether it has to be written: it changed, or its file is gone.
fn published_segments(connection: &Connection, feed: &Path) -> rusqlite::Result<Vec<(SegmentEntry, bool)>> {
    let sql = "SELECT prefix, digest, people, highest, dirty FROM segments ORDER BY prefix";
    let mut statement = connection.prepare_cached(sql)?;
    let segments = statement.query_map([], |row| {
        let prefix = row.get(0)?;
        let digest: Option<String> = row.get(1)?;
        let digest = digest.map(|digest| parsed(row, 1, &digest)).transpose()?;
        let length = |digest| fs::metadata(segment_path(feed, prefix, digest)).map_or(0, |file| file.len());
        let is_gone = digest.is_some_and(|digest| length(digest) == 0);
        Ok((SegmentEntry { digest, people: row.get(2)?, highest: row.get(3)? }, is_gone || row.get(4)?))
    })?;
    segments.collect()
}

fn store_segment(connection: &Connection, prefix: u8, segment: &SegmentEntry) -> rusqlite::Result<()> {
    let sql = "UPDATE segments SET digest = ?2, people = ?3, highest = ?4, dirty = 0 WHERE prefix = ?1";
    let digest = segment.digest.map(|digest| digest.to_string());
    connection.prepare_cached(sql)?.execute(params![prefix, digest, segment.people, segment.highest]).map(drop)
}

/// The text of a segment, ordered by user ID.
fn compose(connection: &Connection, prefix: u8) -> rusqlite::Result<(String, SegmentEntry)> {
    let sql = format!("SELECT {PUBLISHED} WHERE people.prefix = ?1");
    let mut lines: Vec<PersonLine> =
        connection.prepare_cached(&sql)?.query_map([prefix], person)?.collect::<Result<_, _>>()?;
    let people = lines.len() as u64;
    let sql = "SELECT user_id, key, sequence FROM tombstones WHERE prefix = ?1";
    for tombstone in connection.prepare_cached(sql)?.query_map([prefix], |row| {
        let user: UserId = parsed(row, 0, &row.get::<_, String>(0)?)?;
        Ok(gone(user, row.get(1)?, row.get(2)?))
    })? {
        lines.push(tombstone?);
    }
    lines.sort_unstable_by_key(|line| (line.user, line.sequence));
    let mut text = String::with_capacity(lines.len() * 256);
    lines.iter().for_each(|line| line.write(&mut text));
    let highest = lines.iter().map(|line| line.sequence).max().unwrap_or_default();
    let digest = (!text.is_empty()).then(|| Digest::of(text.as_bytes()));
    Ok((text, SegmentEntry { digest, people, highest }))
}

fn gone(user: UserId, key: String, sequence: u64) -> PersonLine {
    let [anchor, sid, sam_account_name, domain] = [const { String::new() }; 4];
    PersonLine { sequence, state: LineState::Gone, key, user, anchor, sid, sam_account_name, domain, photo: None }
}
