//! Deletes files of the feed that no reader can need: the present publication does not name them, and they were last
//! touched long ago. What replaces a file touches it, so its time begins when it stopped being current.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OptionalExtension as _};

use super::format::FeedHead;
use super::photos::time;
use super::schema::Counter;

const EVERY: u64 = 24 * 3600;
const KEEP: Duration = Duration::from_secs(24 * 3600);
const KEEP_PHOTOS: Duration = Duration::from_secs(7 * 24 * 3600);

/// Once a day. A file that cannot be deleted is tried again the next day.
pub(super) fn clean_up(connection: &Connection, feed: &Path, head: &FeedHead, now: i64) -> rusqlite::Result<()> {
    let time = time(now);
    let now = u64::try_from(now).unwrap_or_default();
    if now.saturating_sub(Counter::CleanedAt.get(connection)?) < EVERY {
        return Ok(());
    }
    let manifest = head.manifest_name();
    clean_folder(&feed.join("manifests"), time - KEEP, |name| Ok(name == manifest))?;
    for prefix in 0..=u8::MAX {
        let folder = format!("{prefix:02x}");
        clean_folder(&feed.join("segments").join(&folder), time - KEEP, |name| {
            is_named(connection, "SELECT 1 FROM segments WHERE digest = ?1", name.strip_suffix(".tsv"))
        })?;
        clean_folder(&feed.join("photos").join(&folder), time - KEEP_PHOTOS, |name| {
            const NAMED: &str =
                "SELECT 1 FROM people WHERE photo = ?1 UNION ALL SELECT 1 FROM adopted WHERE shown = ?1 LIMIT 1";
            is_named(connection, NAMED, name.strip_suffix(".jpg"))
        })?;
    }
    Counter::CleanedAt.set(connection, now)
}

fn is_named(connection: &Connection, sql: &str, digest: Option<&str>) -> rusqlite::Result<bool> {
    let Some(digest) = digest else { return Ok(false) };
    let found: Option<i64> = connection.prepare_cached(sql)?.query_row([digest], |row| row.get(0)).optional()?;
    Ok(found.is_some())
}

fn clean_folder(
    folder: &Path,
    before: SystemTime,
    is_needed: impl Fn(&str) -> rusqlite::Result<bool>,
) -> rusqlite::Result<()> {
    let Ok(files) = fs::read_dir(folder) else { return Ok(()) };
    for file in files.flatten() {
        let is_old = file.metadata().and_then(|file| file.modified()).is_ok_and(|modified| modified < before);
        let name = file.file_name();
        if !is_old || is_needed(name.to_str().unwrap_or_default())? {
            continue;
        }
        match fs::remove_file(file.path()) {
            Ok(()) => {}
            Err(error) => tracing::warn!(file = %file.path().display(), %error, "not cleaned up"),
        }
    }
    Ok(())
}
