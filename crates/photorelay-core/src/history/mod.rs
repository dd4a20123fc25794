//! The history of one user's photo, from everything that is recorded about it: entries, receipts, notes and decisions, in
//! the order of time.
//!
//! Only reads. A document that cannot be read is part of the history and ends nothing: `audit verify` says what is wrong.

mod event;

use std::collections::BTreeMap;

pub use event::{HistoryEvent, HistoryFact, LastShown, UserHistory};

use crate::approvals::decisions;
use crate::audit::{self, AuditError};
use crate::contract::{AuditEntry, Decision, Note, Receipt, Succession};
use crate::documents::{self, Document};
use crate::heads;
use crate::id::{Digest, UserId};
use crate::names::{self, Container};
use crate::receipts;
use crate::store::{BlobStore, StoreError, list_all};

/// Reads everything that is recorded about this user; no event if there is no trail.
pub async fn of_user(blobs: &dyn BlobStore, user: UserId) -> Result<UserHistory, StoreError> {
    let mut events = Vec::new();
    let mut made: BTreeMap<Digest, u32> = BTreeMap::new();
    let head = heads::inspect(blobs, user).await?;
    for seq in audit::sequence_numbers(blobs, user).await? {
        match audit::read(blobs, user, seq).await {
            Ok(Some(committed)) => {
                made.extend(committed.entry.renditions.iter().map(|rendition| (rendition.sha256, seq)));
                events.push(of_entry(committed.entry));
            }
            Ok(None) => {}
            Err(AuditError::Store(error)) => return Err(error),
            Err(error) => {
                let blob = format!("{}/{}", Container::Audit, names::audit_entry(user, seq));
                events.push(unreadable(seq, None, blob, error.to_string()));
            }
        }
    }
    if !events.is_empty() {
        for name in receipts::names_of(blobs, user).await? {
            let blob = name.to_string();
            match documents::inspect::<Receipt>(blobs, Container::Receipts, &blob).await? {
                Document::Valid(receipt) => events.push(of_receipt(receipt)),
                Document::Absent => {}
                Document::Unreadable(why) => {
                    events.push(unreadable(
                        name.seq,
                        Some(name.target),
                        format!("{}/{blob}", Container::Receipts),
                        why,
                    ));
                }
            }
        }
        if let Document::Unreadable(why) = &head {
            let newest = events.iter().map(|event| event.seq).max().unwrap_or_default();
            let blob = format!("{}/{}", Container::State, names::head(user));
            events.push(unreadable(newest, None, blob, why.clone()));
        }
        events.extend(acts_of(blobs, user).await?);
    }
    events.sort_by_key(|event| (event.at, event.rank(), event.seq));
    Ok(UserHistory {
        user_id: user,
        targets: last_shown(&events, &made),
        events,
        successions: successions(blobs, user).await?,
        head: head.valid(),
    })
}

/// Only what agents noted and what operators decided or had undone about this user, in the order of time.
pub async fn acts_of(blobs: &dyn BlobStore, user: UserId) -> Result<Vec<HistoryEvent>, StoreError> {
    let noted = receipts::notes_of(blobs, user).await?.into_iter().map(of_note);
    let decided = decisions::of_user(blobs, user).await?.into_iter().map(of_decision);
    let mut acts: Vec<HistoryEvent> = noted.chain(decided).collect();
    acts.sort_by_key(|event| (event.at, event.rank(), event.seq));
    Ok(acts)
}

/// The newest event of each target that says what it showed.
fn last_shown(events: &[HistoryEvent], made: &BTreeMap<Digest, u32>) -> Vec<LastShown> {
    let mut targets: BTreeMap<&str, LastShown> = BTreeMap::new();
    for event in events {
        let (Some(at), Some(target), Some(sha256)) = (event.at, event.target.as_deref(), event.shown()) else {
            continue;
        };
        let seq = sha256.and_then(|value| made.get(&value).copied());
        targets.insert(target, LastShown { target: target.to_owned(), sha256, seq, at });
    }
    targets.into_values().collect()
}

fn of_entry(entry: AuditEntry) -> HistoryEvent {
    let sha256 = entry.photo.as_ref().map(|photo| photo.sha256).or(entry.seen.sha256);
    let pixels = entry.photo.as_ref().map(|photo| (photo.width, photo.height));
    HistoryEvent {
        at: Some(entry.observed_at),
        seq: entry.seq,
        target: None,
        by: entry.by,
        reason: entry.reason,
        fact: HistoryFact::Entry { kind: entry.kind, cause: entry.cause.kind, sha256, pixels },
    }
}

fn of_receipt(receipt: Receipt) -> HistoryEvent {
    let Receipt { outcome, before, after, server, .. } = receipt;
    HistoryEvent {
        at: Some(receipt.at),
        seq: receipt.seq,
        target: Some(receipt.target),
        by: None,
        reason: receipt.reason,
        fact: HistoryFact::Processed { outcome, before, after, server },
    }
}

fn of_note(note: Note) -> HistoryEvent {
    let (by, reason, fact) = match note.undone {
        None => (None, Some(note.reason), HistoryFact::Noted { note: note.note, shows: note.shows }),
        Some(undone) => {
            let after = note.shows.and_then(|shown| shown.sha256);
            (Some(undone.by), undone.reason, HistoryFact::Undone { before: undone.before, after })
        }
    };
    HistoryEvent { at: Some(note.at), seq: note.seq, target: Some(note.target), by, reason, fact }
}

fn of_decision(decision: Decision) -> HistoryEvent {
    let Decision { verdict, held_for, value, .. } = decision;
    HistoryEvent {
        at: Some(decision.at),
        seq: decision.seq,
        target: Some(decision.target),
        by: decision.by,
        reason: decision.reason,
        fact: HistoryFact::Decided { verdict, held_for, value },
    }
}

/// A document that cannot be read has no time: it comes first.
fn unreadable(seq: u32, target: Option<String>, blob: String, why: String) -> HistoryEvent {
    let fact = HistoryFact::Unreadable { blob };
    HistoryEvent { at: None, seq, target, by: None, reason: Some(why), fact }
}

/// The other users who are the same object in a target.
pub async fn successions(blobs: &dyn BlobStore, user: UserId) -> Result<Vec<Succession>, StoreError> {
    let mut found = Vec::new();
    for listed in list_all(blobs, Container::Agents, &names::successions_prefix(user)).await? {
        found.extend(documents::read(blobs, Container::Agents, &listed.name).await?);
    }
    Ok(found)
}
