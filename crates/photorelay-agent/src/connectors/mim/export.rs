//! Exports the published feed to a file that importers without scripts read: as a whole, or what changed since then.
//!
//! A delta holds every change since the last full export, so one that is missed loses nothing. Nothing is written
//! if a photo cannot be read: an object without its photo would clear it downstream.

use std::io::Write;
use std::path::Path;

use rusqlite::Connection;

use super::FeedError;
use super::ldif::{LdifNames, Shown};
use super::line::{LineState, PersonLine};
use super::reader::FeedReader;
use super::schema::{self, Counter};
use super::store::FeedStore;
use crate::connectors::files::write_whole_with;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LdifKind {
    Full,
    /// What changed since the last full export.
    Delta,
}

/// What was exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LdifExport {
    pub written: u64,
    pub deleted: u64,
    /// Of the publication.
    pub sequence: u64,
}

impl FeedStore {
    /// Replaces the file as a whole. Changes are accepted meanwhile: the publication that is read is pinned.
    pub fn export_ldif(&self, kind: LdifKind, names: &LdifNames, path: &Path) -> Result<LdifExport, FeedError> {
        let reader = FeedReader::open(&self.settings.feed)?;
        let reader = reader.ok_or_else(|| FeedError::Unusable("nothing is published yet".to_owned()))?;
        let mut export = LdifExport { sequence: reader.head.sequence, ..LdifExport::default() };
        match kind {
            LdifKind::Full => {
                write_whole_with(path, |out| full(&reader, names, out, &mut export))?;
                // Only now: a delta to a file that was not written would miss what that should have held.
                self.begin_deltas(&reader)?;
            }
            LdifKind::Delta => {
                let since = self.base(&reader)?;
                write_whole_with(path, |out| self.delta(&reader, since, names, out, &mut export))?;
            }
        }
        Ok(export)
    }

    /// The sequence of the last full export, if a delta can go on from there.
    fn base(&self, reader: &FeedReader) -> Result<u64, FeedError> {
        let epoch: Option<String> = self.read(|connection| schema::text(connection, "ldif_epoch"))?;
        let sequence = self.read(|connection| Counter::LdifSequence.get(connection))?;
        let problem = match epoch {
            None => "there was no full export yet",
            Some(epoch) if epoch != reader.head.epoch.to_string() => "the feed was rebuilt since the last full export",
            Some(_) if sequence < reader.head.floor => "the last full export is too old: deletions since then are gone",
            Some(_) => return Ok(sequence),
        };
        Err(FeedError::Unusable(format!(
            "{problem}: run `photorelay-agent mim ldif` without --delta, and a full import"
        )))
    }

    /// Deltas go on from this publication.
    fn begin_deltas(&self, reader: &FeedReader) -> Result<(), FeedError> {
        let state = |error| self.failed(error);
        self.write_with(|transaction| {
            transaction.execute("DELETE FROM ldif_base", []).map_err(state)?;
            reader.for_each(|line| {
                if line.state == LineState::Gone {
                    return Ok(());
                }
                let mut base = transaction.prepare_cached("INSERT INTO ldif_base (key) VALUES (?1)").map_err(state)?;
                base.execute([&line.key]).map(drop).map_err(state)
            })?;
            schema::set_text(transaction, "ldif_epoch", reader.head.epoch.to_string()).map_err(state)?;
            Counter::LdifSequence.set(transaction, reader.head.sequence).map_err(state)
        })
    }

    fn delta(
        &self,
        reader: &FeedReader,
        since: u64,
        names: &LdifNames,
        out: &mut dyn Write,
        export: &mut LdifExport,
    ) -> Result<(), FeedError> {
        writeln!(out, "version: 1\n")?;
        // Deletions first: a person with a new key would otherwise be there twice for a moment.
        for deletions in [true, false] {
            reader.for_each(|line| {
                if line.sequence <= since || (line.state == LineState::Gone) != deletions {
                    return Ok(());
                }
                let is_known = self.read(|connection| is_in_base(connection, &line.key))?;
                match (deletions, is_known) {
                    (true, false) => return Ok(()),
                    (true, true) => names.delete(out, &line.key)?,
                    (false, true) => names.modify(out, &line.key, &shown(reader, &line)?)?,
                    (false, false) => names.add(out, &line.key, &shown(reader, &line)?)?,
                }
                export.deleted += u64::from(deletions);
                export.written += u64::from(!deletions);
                Ok(())
            })?;
        }
        Ok(())
    }
}

fn full(reader: &FeedReader, names: &LdifNames, out: &mut dyn Write, export: &mut LdifExport) -> Result<(), FeedError> {
    writeln!(out, "version: 1\n")?;
    reader.for_each(|line| {
        if line.state != LineState::Gone {
            names.content(out, &line.key, &shown(reader, &line)?)?;
            export.written += 1;
        }
        Ok(())
    })
}

fn shown(reader: &FeedReader, line: &PersonLine) -> Result<Shown, FeedError> {
    let Some(photo) = &line.photo else { return Ok(None) };
    Ok(Some((reader.photo(photo.digest)?, photo.checksum.clone())))
}

fn is_in_base(connection: &Connection, key: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM ldif_base WHERE key = ?1")?.exists([key])
}
