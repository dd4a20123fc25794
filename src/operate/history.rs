//! `photorelay history <user>`: what happened with a user's photo, in the order of time: every entry of the trail, what
//! targets made of it, and what operators decided. What is recorded, core's `history` gathers.

use std::io::Write;

use anyhow::{Result, bail};
use jiff::Timestamp;
use photorelay_core::contract::{ApprovalReason, CaptureStatus, Head, Succession, Verdict};
use photorelay_core::history::{self, HistoryEvent, HistoryFact, LastShown, UserHistory};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::storage::Storage;
use photorelay_core::wording::moment;

/// Prints the events, oldest first, what targets show, and what the next check will find.
pub async fn history(storage: &Storage, user: UserId, out: &mut dyn Write) -> Result<()> {
    let history = recorded(storage, user).await?;
    let width = moment(Timestamp::UNIX_EPOCH).len();
    writeln!(out, "{:>4}  {:<width$}  {:<9}  {:<12}  {:<12}  pixels", "seq", "time", "kind", "cause", "sha-256")?;
    for event in &history.events {
        print(event, out)?;
    }
    for shown in &history.targets {
        writeln!(out, "{}", last_shown(shown))?;
    }
    for succession in &history.successions {
        writeln!(out, "{}", in_words(user, succession))?;
    }
    if let Some(head) = &history.head {
        writeln!(out, "{}", state_of(head))?;
    }
    Ok(())
}

/// Prints the same as one JSON object, [`history::UserHistory`].
pub async fn history_json(storage: &Storage, user: UserId, out: &mut dyn Write) -> Result<()> {
    let history = recorded(storage, user).await?;
    writeln!(out, "{}", serde_json::to_string_pretty(&history)?)?;
    Ok(())
}

async fn recorded(storage: &Storage, user: UserId) -> Result<UserHistory> {
    let history = history::of_user(&*storage.blobs, user).await?;
    match history.events.is_empty() {
        true => bail!(
            "user {user} has no entry in the audit trail: `photorelay check {user}` makes one if there is a photo"
        ),
        false => Ok(history),
    }
}

fn print(event: &HistoryEvent, out: &mut dyn Write) -> std::io::Result<()> {
    let (seq, time) = (event.seq, event.at.map_or("-".to_owned(), moment));
    let signed = match (&event.by, &event.reason) {
        (Some(by), Some(reason)) => Some(format!("by {by}: {reason}")),
        (Some(by), None) => Some(format!("by {by}")),
        (None, reason) => reason.clone(),
    };
    if let HistoryFact::Entry { kind: of, cause: by, sha256, pixels } = &event.fact {
        let (kind, cause) = (of.word(), by.word());
        let digest = sha256.map_or("-".to_owned(), short);
        let pixels = pixels.map_or("-".to_owned(), |(width, height)| format!("{width}x{height}"));
        writeln!(out, "{seq:>4}  {time:<20}  {kind:<9}  {cause:<12}  {digest:<12}  {pixels}")?;
        return signed.map_or(Ok(()), |signed| writeln!(out, "      {signed}"));
    }
    let signed = match (&event.by, signed) {
        (_, None) => String::new(),
        (Some(_), Some(signed)) => format!(" {signed}"),
        (None, Some(reason)) => format!(" ({reason})"),
    };
    let target = event.target.as_deref().map(|target| format!("{target}: ")).unwrap_or_default();
    writeln!(out, "{seq:>4}  {time:<20}  {target}{}{signed}", fact(&event.fact))
}

/// What happened in a target.
pub(crate) fn fact(fact: &HistoryFact) -> String {
    match fact {
        HistoryFact::Entry { kind: of, .. } => of.word().to_owned(),
        HistoryFact::Decided { verdict, held_for, .. } => {
            let what = match held_for {
                ApprovalReason::Removal => "the removal",
                ApprovalReason::Foreign => "the overwrite",
                ApprovalReason::Cleared => "the photo that was cleared",
            };
            match verdict {
                Verdict::Approved => format!("approved {what}"),
                Verdict::Rejected => format!("rejected {what}"),
            }
        }
        HistoryFact::Noted { note, .. } => note.words().to_owned(),
        HistoryFact::Undone { after: Some(value), .. } => format!("undone, put back {}", short(*value)),
        HistoryFact::Undone { after: None, .. } => "undone, cleared".to_owned(),
        HistoryFact::Processed { outcome: of, server, .. } => format!("{} on {server}", of.word()),
        HistoryFact::Unreadable { blob } => format!("{blob} cannot be read"),
    }
}

fn last_shown(shown: &LastShown) -> String {
    let LastShown { target, sha256, seq, at } = shown;
    let value = match (sha256, seq) {
        (None, _) => "no photo".to_owned(),
        (Some(value), Some(seq)) => format!("{}, the photo of entry {seq}", short(*value)),
        (Some(value), None) => format!("{}, which no entry that can be read has made", short(*value)),
    };
    format!("{}  {target} showed {value}", moment(*at))
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

fn state_of(head: &Head) -> String {
    let capture_status = match &head.capture_status {
        CaptureStatus::Active => String::new(),
        CaptureStatus::OutOfScope { reason } => format!(", out of scope: {reason}"),
        CaptureStatus::Parked { until } => format!(", put off until {}", moment(*until)),
        CaptureStatus::Forgotten => ", forgotten".to_owned(),
    };
    let absent =
        head.absent_since.map(|since| format!(", photo not found since {}", moment(since))).unwrap_or_default();
    let settled = if head.settled { "settled" } else { "not settled yet" };
    format!("head  at entry {}, {settled}{capture_status}{absent}", head.seq)
}

fn short(digest: Digest) -> String {
    digest.to_string().chars().take(12).collect()
}
