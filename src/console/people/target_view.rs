//! What each target shows of a user now, as far as the newest receipt and note say it.

use std::collections::{BTreeMap, BTreeSet};

use photorelay_core::contract::{Note, Receipt};
use photorelay_core::id::Digest;

use super::version::{Album, ShownPicture};
use crate::console::render::Moment;

#[derive(Debug)]
pub(super) struct TargetView {
    pub(super) name: String,
    /// What it showed when it was read last; none if it showed nothing, or was never read.
    pub(super) shows: Option<ShownPicture>,
    pub(super) read: Option<ReadOnce>,
    /// Whether it still shows what photorelay wrote, which an agent can take back.
    pub(super) can_be_undone: bool,
    /// Why the newest entry is not there yet.
    pub(super) note: Option<NoteView>,
}

/// When a target was read last, and where.
#[derive(Debug)]
pub(super) struct ReadOnce {
    pub(super) seq: u32,
    pub(super) at: Moment,
    pub(super) server: String,
}

#[derive(Debug)]
pub(super) struct NoteView {
    pub(super) seq: u32,
    pub(super) kind: &'static str,
    pub(super) reason: String,
    /// Which operator had it undone, and why.
    pub(super) undone: Option<String>,
    pub(super) at: Moment,
}

/// What a target showed when it was read last.
#[derive(Debug)]
pub(super) struct LastSeen {
    /// None if it showed no photo.
    pub(super) value: Option<Digest>,
    pub(super) read: ReadOnce,
}

impl LastSeen {
    /// By the newest receipt or by the note, if that is [`newest_word`]. `receipts` are in the order in which they count.
    pub(super) fn of(target: &str, receipts: &[Receipt], note: Option<&Note>) -> Option<Self> {
        let newest = receipts.iter().rfind(|receipt| receipt.target == target && receipt.outcome.is_shown());
        let receipt_says = newest.map(|receipt| (receipt.after, receipt.seq, receipt.at, receipt.server.clone()));
        let note_says = note.and_then(|note| Some((note.shows?.sha256, note.seq, note.at, note.agent.clone())));
        let said = receipt_says.into_iter().chain(note_says).max_by_key(|(_, _, at, _)| *at);
        said.map(|(value, seq, at, server)| Self { value, read: ReadOnce { seq, at: Moment(at), server } })
    }
}

/// The note of this target if it was left after every receipt. Time decides, not the number of the entry: what was written
/// may have been replaced or undone since.
pub(super) fn newest_word<'a>(
    notes: &'a BTreeMap<String, Note>,
    target: &str,
    receipts: &[Receipt],
) -> Option<&'a Note> {
    let mut of_target = receipts.iter().filter(|receipt| receipt.target == target);
    notes.get(target).filter(|note| of_target.all(|receipt| receipt.at < note.at))
}

/// One for each of these targets. `receipts` are in the order in which they count.
pub(super) fn of_targets(
    targets: BTreeSet<String>,
    receipts: &[Receipt],
    notes: &BTreeMap<String, Note>,
    album: &Album,
) -> Vec<TargetView> {
    let mut views = Vec::new();
    for name in targets {
        let note = newest_word(notes, &name, receipts);
        let newest = receipts.iter().rfind(|receipt| receipt.target == name && receipt.outcome.is_shown());
        let said = LastSeen::of(&name, receipts, note);
        // A note that nothing was done leaves what was written as it was.
        let is_as_written = |receipt: &Receipt| {
            note.is_none_or(|note| {
                note.undone.is_none() && note.shows.is_none_or(|shown| shown.sha256 == receipt.after)
            })
        };
        let can_be_undone = newest.is_some_and(is_as_written);
        let shown = said.as_ref().map(|seen| seen.value);
        let read = said.map(|seen| seen.read);
        views.push(TargetView {
            shows: shown.flatten().map(|value| album.picture(value)),
            can_be_undone,
            read,
            note: note.map(|note| NoteView {
                seq: note.seq,
                kind: note.note.words(),
                reason: note.reason.clone(),
                undone: note.undone.as_ref().map(|undone| match &undone.reason {
                    Some(reason) => format!("undone by {}: {reason}", undone.by),
                    None => format!("undone by {}", undone.by),
                }),
                at: Moment(note.at),
            }),
            name,
        });
    }
    views
}
