//! The way of one entry of a user's trail: from what announced the change to each target, with the time of every hop.
//!
//! Only reads. The times come from the documents that travel anyway; a document that an older program wrote has fewer of
//! them. They are read off the clocks of different machines, so a hop may seem to take less than no time: it is shown as
//! it is. When a photo was changed, Graph does not say.

mod display;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::audit::{self, AuditError, Committed};
use crate::contract::{AuditEntry, CauseKind, EntryKind, Note, NoteKind, Outcome, Receipt, UndoneChange};
use crate::documents;
use crate::id::{Digest, UserId};
use crate::names::{self, Container, ReceiptName};
use crate::receipts;
use crate::store::{BlobStore, StoreError};
use crate::trace::TraceContext;

/// The members are stable: docs/commands.md describes them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryHops {
    pub user_id: UserId,
    pub seq: u32,
    pub kind: EntryKind,
    pub cause: CauseKind,
    /// Names the same change in logs and traces.
    pub trace_id: Option<String>,
    /// What all targets have in common.
    pub hops: Vec<Hop>,
    pub targets: Vec<TargetHops>,
}

/// The way into one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetHops {
    pub target: String,
    pub state: HopsEnd,
    /// Of the receipt that counts.
    pub hops: Vec<Hop>,
    /// From the first hop of the entry to the last one here, in milliseconds.
    pub total_ms: Option<f64>,
}

/// How far the entry has come in a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum HopsEnd {
    /// An agent has left a receipt.
    Receipt { outcome: Outcome, reason: Option<String>, agent: String, server: String, after: Option<Digest> },
    /// An agent has looked at the entry and not written it, or found since that the target shows something else.
    Noted {
        note: NoteKind,
        reason: String,
        agent: String,
        at: Timestamp,
        /// An operator had it undone.
        #[serde(skip_serializing_if = "Option::is_none")]
        undone: Option<UndoneChange>,
    },
    /// No agent has acknowledged it.
    Waiting,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    pub kind: HopKind,
    pub at: Timestamp,
    /// Since the hop before it, in milliseconds; `None` for the first one.
    pub after_ms: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum HopKind {
    /// A notification was accepted.
    Notified,
    /// A sweep found the difference.
    Found,
    /// An operator's command began.
    Commanded,
    /// The work on this user began.
    Begun,
    /// The photo is stored, and the entry is made.
    Captured,
    /// The write-back message was sent.
    Announced,
    /// The agent began with it.
    Received,
    /// The agent has compared, written, read back and left its receipt.
    Written,
}

/// Which entries of a trail are traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TracedEntries {
    Newest,
    All,
    One(u32),
}

#[derive(Debug, thiserror::Error)]
pub enum HopsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("user {0} has no entry in the audit trail: `photorelay check {0}` makes one if there is a photo")]
    NoTrail(UserId),
    #[error("user {user} has no entry {seq}: `photorelay history {user}` lists them")]
    NoEntry { user: UserId, seq: u32 },
}

/// Traces entries of a user, oldest first. `expected` names the targets that an entry is announced to.
pub async fn of_user<'a>(
    blobs: &dyn BlobStore,
    user: UserId,
    which: TracedEntries,
    expected: impl Fn(&AuditEntry) -> Vec<&'a str>,
) -> Result<Vec<EntryHops>, HopsError> {
    let all = audit::sequence_numbers(blobs, user).await?;
    let wanted = match (which, all.last()) {
        (_, None) => return Err(HopsError::NoTrail(user)),
        (TracedEntries::One(seq), _) => vec![seq],
        (TracedEntries::Newest, Some(newest)) => vec![*newest],
        (TracedEntries::All, Some(_)) => all,
    };
    let mut entries = Vec::with_capacity(wanted.len());
    for seq in &wanted {
        let (user, seq) = (user, *seq);
        entries.push(audit::read(blobs, user, seq).await?.ok_or(HopsError::NoEntry { user, seq })?);
    }
    let expected: Vec<Vec<&str>> = entries
        .iter()
        .map(|Committed { entry, .. }| if entry.kind.concerns_targets() { expected(entry) } else { Vec::new() })
        .collect();
    let mut names = receipts::names_of(blobs, user).await?;
    names.retain(|name| wanted.contains(&name.seq));
    let targets = expected.iter().flatten().map(|target| (*target).to_owned());
    let targets: BTreeSet<String> = targets.chain(names.iter().map(|name| name.target.clone())).collect();
    let mut records = HopRecords::default();
    for name in names {
        let receipt = documents::read(blobs, Container::Receipts, &name.to_string()).await?;
        records.receipts.push((name, receipt));
    }
    records.notes = notes_of(blobs, user, targets).await?;
    Ok(entries.iter().zip(&expected).map(|(committed, expected)| records.of_entry(committed, expected)).collect())
}

/// The newest note of each of these targets that has one.
pub async fn notes_of(
    blobs: &dyn BlobStore,
    user: UserId,
    targets: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<String, Note>, StoreError> {
    let mut notes = BTreeMap::new();
    for target in targets {
        let note = documents::read(blobs, Container::Agents, &names::note(user, &target)).await?;
        notes.extend(note.map(|note| (target, note)));
    }
    Ok(notes)
}

/// What targets left of a user, read once for all entries that are traced.
#[derive(Debug, Clone, Default)]
pub struct HopRecords {
    /// In the order in which they count; none for a receipt that cannot be read.
    pub receipts: Vec<(ReceiptName, Option<Receipt>)>,
    /// The newest of each target.
    pub notes: BTreeMap<String, Note>,
}

impl HopRecords {
    /// Follows the entry into every target that left a receipt of it, and into those that are `expected` to.
    pub fn of_entry(&self, committed: &Committed, expected: &[&str]) -> EntryHops {
        let entry = &committed.entry;
        let (user, seq) = (entry.user_id, entry.seq);
        let hops = common(entry);
        // Of one target, the last receipt counts.
        let mut found: BTreeMap<&str, Option<&Receipt>> = expected.iter().map(|target| (*target, None)).collect();
        for (name, receipt) in self.receipts.iter().filter(|(name, _)| name.seq == seq) {
            if receipt.is_some() || !found.contains_key(name.target.as_str()) {
                found.insert(&name.target, receipt.as_ref());
            }
        }
        let targets = found.into_iter().map(|(target, receipt)| {
            let note = self.notes.get(target).filter(|note| note.seq == seq);
            into_target(&hops, target, receipt, note)
        });
        let targets = targets.collect();
        let trace = entry.traceparent.as_deref().and_then(|text| text.parse::<TraceContext>().ok());
        let trace_id = trace.map(|trace| trace.trace_id());
        EntryHops { user_id: user, seq, kind: entry.kind, cause: entry.cause.kind, trace_id, hops, targets }
    }
}

fn common(entry: &AuditEntry) -> Vec<Hop> {
    let first = match entry.cause.kind {
        CauseKind::Notification => HopKind::Notified,
        CauseKind::Sweep => HopKind::Found,
        CauseKind::Operator => HopKind::Commanded,
    };
    let captured = (HopKind::Captured, Some(entry.observed_at));
    chain(None, [(first, entry.cause.at), (HopKind::Begun, entry.begun_at), captured])
}

fn into_target(common: &[Hop], target: &str, receipt: Option<&Receipt>, note: Option<&Note>) -> TargetHops {
    let before = common.last().map(|hop| hop.at);
    let hops = receipt.map_or_else(Vec::new, |receipt| {
        let announced = (HopKind::Announced, receipt.announced_at);
        chain(before, [announced, (HopKind::Received, receipt.received_at), (HopKind::Written, Some(receipt.at))])
    });
    let total_ms = receipt.zip(common.first()).map(|(receipt, first)| milliseconds(first.at, receipt.at));
    TargetHops { target: target.to_owned(), state: end_of(receipt.cloned(), note.cloned()), hops, total_ms }
}

/// The receipt counts, unless a later note says that the target has come to show something else.
fn end_of(receipt: Option<Receipt>, note: Option<Note>) -> HopsEnd {
    let is_outdated = |receipt: &Receipt, note: &Note| {
        note.at > receipt.at && note.shows.is_some_and(|shown| shown.sha256 != receipt.after)
    };
    match (receipt, note) {
        (Some(receipt), note) if !note.as_ref().is_some_and(|note| is_outdated(&receipt, note)) => {
            let Receipt { outcome, reason, agent, server, after, .. } = receipt;
            HopsEnd::Receipt { outcome, reason, agent, server, after }
        }
        (_, Some(Note { note, reason, agent, at, undone, .. })) => HopsEnd::Noted { note, reason, agent, at, undone },
        (_, None) => HopsEnd::Waiting,
    }
}

/// The hops whose time is known, each with the time since the one before it.
fn chain(mut before: Option<Timestamp>, hops: [(HopKind, Option<Timestamp>); 3]) -> Vec<Hop> {
    let known = hops.into_iter().filter_map(|(kind, at)| Some((kind, at?)));
    let hop = |(kind, at)| Hop { kind, at, after_ms: before.replace(at).map(|before| milliseconds(before, at)) };
    known.map(hop).collect()
}

fn milliseconds(from: Timestamp, to: Timestamp) -> f64 {
    let micros = to.duration_since(from).as_micros();
    micros as f64 / 1000.0
}
