//! What each target shows of a user now, as far as the newest receipt and note say it.

use std::collections::BTreeSet;

use photorelay_core::contract::{Note, Receipt};
use photorelay_core::documents;
use photorelay_core::names::{self, Container};

use super::version::{Album, ShownPicture};
use crate::console::render::{Moment, PageError};
use crate::console::state::ConsoleState;
use photorelay_core::id::UserId;

#[derive(Debug)]
pub(super) struct TargetView {
    pub(super) name: String,
    /// What it showed when it was read last; none if it showed nothing, or was never read.
    pub(super) shows: Option<ShownPicture>,
    pub(super) read: Option<ReadOnce>,
    /// The entry whose write an agent can take back.
    pub(super) can_be_undone: Option<u32>,
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

/// All targets that serve the user, or have a receipt of theirs. `receipts` are in the order in which they count.
pub(super) async fn read(
    console: &ConsoleState,
    user: UserId,
    domain: Option<&str>,
    receipts: &[Receipt],
    album: &Album,
) -> Result<Vec<TargetView>, PageError> {
    let serving = console.targets.serving(domain).map(|target| target.name.clone());
    let known: BTreeSet<String> = serving.chain(receipts.iter().map(|receipt| receipt.target.clone())).collect();
    let mut views = Vec::new();
    for name in known {
        let note =
            documents::read::<Note>(&*console.storage.blobs, Container::Agents, &names::note(user, &name)).await?;
        // Time decides, not the number of the entry: what was written may have been replaced or undone since.
        let newest_of_all = receipts.iter().filter(|receipt| receipt.target == name).map(|receipt| receipt.at).max();
        let note = note.filter(|note| newest_of_all.is_none_or(|at| at < note.at));
        let newest = receipts.iter().rfind(|receipt| receipt.target == name && receipt.outcome.is_shown());
        let receipt_says = newest.map(|receipt| (receipt.after, receipt.seq, receipt.at, receipt.server.clone()));
        let note_says =
            note.as_ref().and_then(|note| Some((note.shows?.sha256, note.seq, note.at, note.agent.clone())));
        // Which of the two was read later counts.
        let said = receipt_says.into_iter().chain(note_says).max_by_key(|(_, _, at, _)| *at);
        // A note that nothing was done leaves what was written as it was.
        let is_as_written = |receipt: &Receipt| {
            note.as_ref().is_none_or(|note| {
                note.undone.is_none() && note.shows.is_none_or(|shown| shown.sha256 == receipt.after)
            })
        };
        let can_be_undone = newest.filter(|receipt| is_as_written(receipt)).map(|receipt| receipt.seq);
        let shown = said.as_ref().map(|(value, ..)| *value);
        let read = said.map(|(_, seq, at, server)| ReadOnce { seq, at: Moment(at), server });
        views.push(TargetView {
            shows: shown.flatten().map(|value| album.picture(value)),
            can_be_undone,
            read,
            note: note.map(|note| NoteView {
                seq: note.seq,
                kind: note.note.words(),
                reason: note.reason,
                undone: note.undone.map(|undone| match undone.reason {
                    Some(reason) => format!("undone by {}: {reason}", undone.by),
                    None => format!("undone by {}", undone.by),
                }),
                at: Moment(note.at),
            }),
            name,
        });
    }
    Ok(views)
}
