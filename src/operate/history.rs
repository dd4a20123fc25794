//! `photorelay history <user>`: every entry of a user's trail, and what targets made of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

use anyhow::Result;
use jiff::Timestamp;
use photorelay_core::audit;
use photorelay_core::contract::{AuditEntry, CaptureStatus, CauseKind, EntryKind, Head, Outcome, Receipt, Succession};
use photorelay_core::documents::{self, Document};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container, ReceiptName};
use photorelay_core::storage::Storage;
use photorelay_core::store::list_all;
use photorelay_core::{heads, id::Digest, receipts};

/// Prints the entries, oldest first, and what the next check will find.
pub async fn history(storage: &Storage, user: UserId, out: &mut dyn Write) -> Result<()> {
    let blobs = &*storage.blobs;
    let sequence = audit::sequence_numbers(blobs, user).await?;
    if sequence.is_empty() {
        writeln!(out, "{user} has no entry in the audit trail: run `photorelay check {user}`")?;
        return Ok(());
    }
    let receipts = receipts(storage, user).await?;
    writeln!(out, "{:>4}  {:<20}  {:<9}  {:<12}  {:<12}  pixels", "seq", "time", "kind", "cause", "sha-256")?;
    for seq in sequence {
        let Some(committed) = audit::read(blobs, user, seq).await? else { continue };
        let entry = &committed.entry;
        let (digest, pixels) = match &entry.photo {
            Some(photo) => (short(photo.sha256), format!("{}x{}", photo.width, photo.height)),
            None => (entry.seen.sha256.map(short).unwrap_or_else(|| "-".to_owned()), "-".to_owned()),
        };
        let (time, kind, cause) = (to_the_second(entry.observed_at), kind(entry.kind), cause(entry));
        writeln!(out, "{seq:>4}  {time:<20}  {kind:<9}  {cause:<12}  {digest:<12}  {pixels}")?;
        if let Some(reason) = &entry.reason {
            writeln!(out, "      {reason}")?;
        }
        for receipt in receipts.get(&seq).into_iter().flatten() {
            writeln!(out, "      {receipt}")?;
        }
    }
    for succession in successions(storage, user).await? {
        writeln!(out, "{}", in_words(user, &succession))?;
    }
    if let Some(head) = heads::read(blobs, user).await? {
        writeln!(out, "{}", state_of(&head))?;
    }
    Ok(())
}

/// The other users who are the same object in a target.
async fn successions(storage: &Storage, user: UserId) -> Result<Vec<Succession>> {
    let blobs = &*storage.blobs;
    let mut found = Vec::new();
    for listed in list_all(blobs, Container::Agents, &names::successions_prefix(user)).await? {
        found.extend(documents::read(blobs, Container::Agents, &listed.name).await?);
    }
    Ok(found)
}

fn in_words(user: UserId, succession: &Succession) -> String {
    let Succession { target, earlier, later, contested, .. } = succession;
    match (*earlier == user, contested) {
        (true, true) => format!("{target}: contested by {later}, who is the same object there"),
        (false, true) => format!("{target}: contested by {earlier}, who is the same object there"),
        (true, false) => format!("{target}: succeeded by {later}, who is the same object there"),
        (false, false) => format!("{target}: succeeds {earlier}, who was the same object there"),
    }
}

/// The receipts of each entry, in words; of one target, the last one counts.
async fn receipts(storage: &Storage, user: UserId) -> Result<BTreeMap<u32, Vec<String>>> {
    let blobs = &*storage.blobs;
    let mut by_entry: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for name in receipts::names_of(blobs, user).await? {
        let found = documents::inspect::<Receipt>(blobs, Container::Receipts, &name.to_string()).await?;
        let ReceiptName { seq, target, .. } = name;
        let text = match found {
            Document::Valid(receipt) => {
                let at = to_the_second(receipt.at);
                let mut text = format!("{target}: {} at {at} on {}", outcome(receipt.outcome), receipt.server);
                if let Some(reason) = &receipt.reason {
                    let _ = write!(text, " ({reason})");
                }
                text
            }
            Document::Absent | Document::Unreadable(_) => format!("{target}: a receipt that cannot be read"),
        };
        by_entry.entry(seq).or_default().push(text);
    }
    Ok(by_entry)
}

fn state_of(head: &Head) -> String {
    let capture_status = match &head.capture_status {
        CaptureStatus::Active => String::new(),
        CaptureStatus::OutOfScope { reason } => format!(", out of scope: {reason}"),
        CaptureStatus::Parked { until } => format!(", put off until {}", to_the_second(*until)),
        CaptureStatus::Forgotten => ", forgotten".to_owned(),
    };
    let absent =
        head.absent_since.map(|since| format!(", photo not found since {}", to_the_second(since))).unwrap_or_default();
    let settled = if head.settled { "settled" } else { "not settled yet" };
    format!("head  at entry {}, {settled}{capture_status}{absent}", head.seq)
}

fn short(digest: Digest) -> String {
    digest.to_string().chars().take(12).collect()
}

fn to_the_second(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Captured => "captured",
        EntryKind::Removed => "removed",
        EntryKind::Restored => "restored",
        EntryKind::Forgotten => "forgotten",
        EntryKind::Refused => "refused",
    }
}

fn cause(entry: &AuditEntry) -> &'static str {
    match entry.cause.kind {
        CauseKind::Notification => "notification",
        CauseKind::Sweep => "sweep",
        CauseKind::Operator => "operator",
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Written => "written",
        Outcome::Unchanged => "unchanged",
        Outcome::Superseded => "superseded",
        Outcome::Refused => "refused",
    }
}
