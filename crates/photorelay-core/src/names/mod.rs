//! The names of containers, blobs and queues. No other module may spell them out.

mod decision;
mod note;
mod photo;
mod preview;

use std::fmt;

use jiff::civil::Date;

pub use decision::{DECISIONS_PREFIX, DecisionName, DecisionSubject, decisions_prefix, parse_decision};
pub use note::{NOTES_PREFIX, note, parse_recorded_note, recorded_note, recorded_notes_prefix};
pub use photo::{parse_photo_blob, photo, rendition};
pub use preview::{PREVIEWS_PREFIX, preview, preview_page, preview_pages_prefix};

use crate::id::{Digest, UserId};

/// The containers of the storage account, separated by who writes them and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Container {
    /// Photos and renditions, named by their digests. Written by the function.
    Photos,
    /// The audit trail, create-once, suitable for a WORM policy. Written by the function.
    Audit,
    /// Heads, population, cursors: rebuildable. Written by the function.
    State,
    /// Receipts and backups of foreign values, create-once. Written by the agent.
    Receipts,
    /// Notes, pending approvals, deletion slots, heartbeats. Written by the agent.
    Agents,
}

impl Container {
    pub const ALL: [Container; 5] =
        [Container::Photos, Container::Audit, Container::State, Container::Receipts, Container::Agents];

    pub fn as_str(self) -> &'static str {
        match self {
            Container::Photos => "photos",
            Container::Audit => "audit",
            Container::State => "state",
            Container::Receipts => "receipts",
            Container::Agents => "agents",
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Check messages: the queue between the webhook or the sweep and propagate.
pub const CHECKS_QUEUE: &str = "photo-checks";
/// Lifecycle events of subscriptions: the queue between the lifecycle endpoint and renew.
pub const SUBSCRIPTIONS_QUEUE: &str = "photo-subscriptions";
/// Write-backs of the first target; other targets have [`writebacks_queue`].
pub const WRITEBACKS_QUEUE: &str = "photo-writebacks";

/// The queue of a target that is not the first.
pub fn writebacks_queue(target: &str) -> String {
    format!("{WRITEBACKS_QUEUE}-{target}")
}

/// The queue for messages that can never be handled, as the Functions host names it.
pub fn poison_queue(queue: &str) -> String {
    format!("{queue}-poison")
}

/// In `photos`, `state` and `agents`: what `doctor` writes and deletes again to try its rights.
pub const PROBES_PREFIX: &str = "doctor/";

/// In `photos`, `audit` and `receipts`: the prefix of all blobs of one user.
pub fn person_prefix(user: UserId) -> String {
    format!("{user}/")
}

/// In `audit`: an entry of a user's trail.
pub fn audit_entry(user: UserId, seq: u32) -> String {
    format!("{user}/{seq:08}.json")
}

/// The user and sequence number in the name of an audit entry; `None` for any other name.
pub fn parse_audit_entry(name: &str) -> Option<(UserId, u32)> {
    let (user, file) = name.split_once('/')?;
    Some((canonical_user(user)?, canonical_seq(file.strip_suffix(".json")?)?))
}

/// A user id as photorelay writes it. A sweep reads millions of names, and writing each again to compare would cost more
/// than all the rest.
pub(crate) fn canonical_user(text: &str) -> Option<UserId> {
    text.parse().ok().filter(|_| !text.bytes().any(|byte| byte.is_ascii_uppercase()))
}

/// A number as `{seq:08}` writes it.
fn canonical_seq(digits: &str) -> Option<u32> {
    let is_canonical = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() == 8 || (digits.len() > 8 && !digits.starts_with('0')));
    digits.parse().ok().filter(|_| is_canonical)
}

/// A number from 2 as `{number}` writes it.
fn canonical_number(digits: &str) -> Option<u32> {
    let is_canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|number| is_canonical && *number > 1)
}

/// In `audit`: the checkpoint of a day.
pub fn checkpoint(day: Date) -> String {
    format!("{CHECKPOINTS_PREFIX}{day}.json")
}

/// The day in the name of a checkpoint; `None` for any other name.
pub fn parse_checkpoint(name: &str) -> Option<Date> {
    let day: Date = name.strip_prefix(CHECKPOINTS_PREFIX)?.strip_suffix(".json")?.parse().ok()?;
    (checkpoint(day) == name).then_some(day)
}

/// In `audit`: a page of checkpoints, named by its digest.
pub fn checkpoint_page(page: Digest) -> String {
    format!("{CHECKPOINT_PAGES_PREFIX}{page}.json")
}

/// Whether a blob name of `audit` is that of a checkpoint page.
pub fn is_checkpoint_page(name: &str) -> bool {
    let digest = name.strip_prefix(CHECKPOINT_PAGES_PREFIX).and_then(|rest| rest.strip_suffix(".json"));
    digest.and_then(|digest| digest.parse().ok()).is_some_and(|digest: Digest| checkpoint_page(digest) == name)
}

/// In `audit`: the prefix of all checkpoints and their pages. In a listing the pages come after the days.
pub const CHECKPOINTS_PREFIX: &str = "checkpoints/";
const CHECKPOINT_PAGES_PREFIX: &str = "checkpoints/pages/";

/// In `state`: the head of a user's trail.
pub fn head(user: UserId) -> String {
    format!("{HEADS_PREFIX}{user}.json")
}

/// In `state`: the prefix of all heads.
pub const HEADS_PREFIX: &str = "users/";

/// The user in the name of a head; `None` for any other name.
pub fn parse_head(name: &str) -> Option<UserId> {
    canonical_user(name.strip_prefix(HEADS_PREFIX)?.strip_suffix(".json")?)
}

/// In `state`: the list of the users that the sweep checks.
pub const POPULATION: &str = "population.json";

/// In `state`: members of the population or of an unfinished list, named by the digest of the segment.
pub fn population_segment(segment: Digest) -> String {
    format!("{POPULATION_SEGMENTS_PREFIX}{segment}.json")
}

/// In `state`: the prefix of all segments.
pub const POPULATION_SEGMENTS_PREFIX: &str = "population/";

/// The digest in the name of a segment; `None` for any other name.
pub fn parse_population_segment(name: &str) -> Option<Digest> {
    let segment: Digest = name.strip_prefix(POPULATION_SEGMENTS_PREFIX)?.strip_suffix(".json")?.parse().ok()?;
    (population_segment(segment) == name).then_some(segment)
}

/// In [`Container::State`]; only while a list of the users is not finished.
pub const POPULATION_QUERY: &str = "population-query.json";
/// In `state`: the progress of the sweep.
pub const SWEEP: &str = "sweep.json";

/// In `state`: a user for whom Graph fails.
pub fn unreadable_user(user: UserId) -> String {
    format!("{UNREADABLE_PREFIX}{user}.json")
}

/// In `state`: the prefix of all users for whom Graph fails.
pub const UNREADABLE_PREFIX: &str = "unreadable/";

/// The user in the name of such a document; `None` for any other name.
pub fn parse_unreadable_user(name: &str) -> Option<UserId> {
    let user: UserId = name.strip_prefix(UNREADABLE_PREFIX)?.strip_suffix(".json")?.parse().ok()?;
    (unreadable_user(user) == name).then_some(user)
}

/// In `state`: stands while a user's photo is decoded.
pub fn decode_marker(user: UserId) -> String {
    format!("{DECODE_MARKERS_PREFIX}{user}.json")
}

/// In `state`: the prefix of all decode markers.
pub const DECODE_MARKERS_PREFIX: &str = "decoding/";

/// The user in the name of a decode marker; `None` for any other name.
pub fn parse_decode_marker(name: &str) -> Option<UserId> {
    let user: UserId = name.strip_prefix(DECODE_MARKERS_PREFIX)?.strip_suffix(".json")?.parse().ok()?;
    (decode_marker(user) == name).then_some(user)
}

/// In `state`: when notifications arrived, and how long they usually pause.
pub const NOTIFICATION_ACTIVITY: &str = "rhythm.json";
/// In `state`: the results of the last sweep, for the watchdog.
pub const WATCH: &str = "watch.json";

/// In `state`: the lease of a running sweep; the highest number is the current one.
pub fn sweep_lease(number: u64) -> String {
    format!("{SWEEP_LEASES_PREFIX}{number:016}.json")
}

/// In `state`: the prefix of all sweep leases.
pub const SWEEP_LEASES_PREFIX: &str = "sweep-leases/";

/// The number in the name of a sweep lease; `None` for any other name.
pub fn parse_sweep_lease(name: &str) -> Option<u64> {
    let number: u64 = name.strip_prefix(SWEEP_LEASES_PREFIX)?.strip_suffix(".json")?.parse().ok()?;
    (sweep_lease(number) == name).then_some(number)
}

/// In `receipts`: the first receipt for an entry in a target.
pub fn receipt(user: UserId, seq: u32, target: &str) -> String {
    ReceiptName::first(user, seq, target).to_string()
}

/// The name of a receipt. Ordered by entry, then by target, then by the number: of the receipts of one entry in one
/// target, the last one counts. A listing has another order, because it compares text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceiptName {
    pub user: UserId,
    pub seq: u32,
    pub target: String,
    /// From 1, without gaps.
    pub number: u32,
}

impl ReceiptName {
    pub fn first(user: UserId, seq: u32, target: &str) -> Self {
        Self { user, seq, target: target.to_owned(), number: 1 }
    }

    pub fn next(&self) -> Self {
        Self { number: self.number + 1, ..self.clone() }
    }
}

impl fmt::Display for ReceiptName {
    /// The first has no number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, seq, target, number } = self;
        match number {
            1 => write!(f, "{user}/{seq:08}.{target}.json"),
            number => write!(f, "{user}/{seq:08}.{target}.{number}.json"),
        }
    }
}

/// What the name of a receipt says; `None` for any other name.
pub fn parse_receipt(name: &str) -> Option<ReceiptName> {
    let (user, file) = name.split_once('/')?;
    let (digits, rest) = file.strip_suffix(".json")?.split_once('.')?;
    let (target, number) = match rest.split_once('.') {
        None => (rest, 1),
        Some((target, number)) => (target, canonical_number(number)?),
    };
    let (user, seq) = (canonical_user(user)?, canonical_seq(digits)?);
    Some(ReceiptName { user, seq, target: target.to_owned(), number })
}

/// In `receipts`: the backup of a value that photorelay did not write, made before it is overwritten.
pub fn kept_value(user: UserId, value: Digest) -> String {
    format!("{user}/{value}.before")
}

/// The user and value in the name of a backup in `receipts`; `None` for any other name.
pub fn parse_kept_value(name: &str) -> Option<(UserId, Digest)> {
    let (user, file) = name.split_once('/')?;
    let (user, value): (UserId, Digest) = (user.parse().ok()?, file.strip_suffix(".before")?.parse().ok()?);
    (kept_value(user, value) == name).then_some((user, value))
}

/// In `agents`: what was published last of a target's feed.
pub fn published_feed(target: &str) -> String {
    format!("{FEEDS_PREFIX}{target}.json")
}

/// In `agents`: the prefix of what was published of feeds.
pub const FEEDS_PREFIX: &str = "feeds/";

/// In `agents`: the heartbeat of an agent.
pub fn heartbeat(target: &str, agent: &str) -> String {
    format!("{HEARTBEATS_PREFIX}{target}.{agent}.json")
}

/// In `agents`: the prefix of all heartbeats.
pub const HEARTBEATS_PREFIX: &str = "heartbeats/";

/// In `agents`: an entry that waits for an operator's approval.
pub fn held(user: UserId, seq: u32, target: &str) -> String {
    format!("{}{seq:08}.{target}.json", held_prefix(user))
}

/// In `agents`: the prefix of one user's pending approvals.
pub fn held_prefix(user: UserId) -> String {
    format!("{HELD_PREFIX}{user}/")
}

/// In `agents`: the prefix of all pending approvals.
pub const HELD_PREFIX: &str = "held/";

/// In `agents`: a user was found to be this object of the target.
pub fn claim(target: &str, object: Digest, user: UserId) -> String {
    format!("{}{user}.json", claims_prefix(target, object))
}

/// In `agents`: the prefix of all users who were found to be this object.
pub fn claims_prefix(target: &str, object: Digest) -> String {
    format!("{CLAIMS_PREFIX}{target}/{object}/")
}

/// In `agents`: the prefix of all claims.
pub const CLAIMS_PREFIX: &str = "owners/";

/// The user in the name of a claim; `None` for any other name.
pub fn parse_claim(name: &str) -> Option<UserId> {
    let (_, file) = name.strip_prefix(CLAIMS_PREFIX)?.rsplit_once('/')?;
    file.strip_suffix(".json")?.parse().ok()
}

/// In `agents`: this user and another one were found to be the same object.
pub fn succession(user: UserId, other: UserId, target: &str) -> String {
    format!("{}{other}.{target}.json", successions_prefix(user))
}

/// In `agents`: the prefix of what is recorded about one user and others.
pub fn successions_prefix(user: UserId) -> String {
    format!("{SUCCESSIONS_PREFIX}{user}/")
}

/// In `agents`: the prefix of all successions.
pub const SUCCESSIONS_PREFIX: &str = "successions/";

/// In `agents`: one of the removals that the deletion threshold allows on a day (such as `2026-05-24`), counted from 0.
pub fn deletion_slot(day: &str, slot: u32, target: &str) -> String {
    format!("{}{slot:04}.{target}.json", deletion_slots_prefix(day))
}

/// In `agents`: the prefix of a day's deletion slots, of all targets.
pub fn deletion_slots_prefix(day: &str) -> String {
    format!("brake/{day}/")
}

/// The target in the name of a deletion slot; `None` for any other name.
pub fn parse_deletion_slot(name: &str) -> Option<&str> {
    let (_, file) = name.strip_prefix("brake/")?.split_once('/')?;
    let (slot, target) = file.strip_suffix(".json")?.split_once('.')?;
    slot.bytes().all(|byte| byte.is_ascii_digit()).then_some(target)
}

/// In `agents`: stops the target's agents while it exists.
pub fn stop_switch(target: &str) -> String {
    format!("stop/{target}.json")
}

/// In `agents`: the progress of the full reconciliation.
pub fn reconciliation_cursor(target: &str) -> String {
    format!("passes/{target}.json")
}

/// In `agents`: the number of writes that an agent made today.
pub fn daily_writes(target: &str, agent: &str) -> String {
    format!("writes/{target}.{agent}.json")
}

/// In `state`: the figures of a day.
pub fn capture_figures(day: Date) -> String {
    format!("{FIGURES_PREFIX}{day}.json")
}

/// In `agents`: the figures of an agent on a day.
pub fn writeback_figures(day: Date, target: &str, agent: &str) -> String {
    format!("{FIGURES_PREFIX}{day}/{target}.{agent}.json")
}

/// In `state` and `agents`: the prefix of all figures, in the order of days.
pub const FIGURES_PREFIX: &str = "figures/";

/// In `state` and `agents`: the prefix of the dead-lettered messages of a queue.
pub fn dead_lettered_prefix(queue: &str) -> String {
    format!("poison/{queue}/")
}

/// In `state` or `agents`: a dead-lettered message with its reason.
pub fn dead_lettered(queue: &str, message_id: &str) -> String {
    format!("{}{message_id}.json", dead_lettered_prefix(queue))
}

#[cfg(test)]
mod tests;
