//! One entry of a user's trail, as the page shows it: the photo, its renditions, and what each target made of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{AuditEntry, CauseKind, Receipt};
use photorelay_core::id::{Digest, UserId};

use super::way::Way;
use crate::console::pictures::{before_path, photo_path, rendition_path};
use crate::console::render::{Moment, bytes};

/// A picture on a page.
#[derive(Debug, Clone)]
pub(super) struct ShownPicture {
    pub(super) path: String,
    /// What it is, for those who do not see it.
    pub(super) alt: String,
    /// Its size in pixels and bytes, as far as that is known.
    pub(super) facts: String,
    pub(super) sha256: Digest,
}

impl ShownPicture {
    pub(super) fn short_digest(&self) -> String {
        self.sha256.to_string().chars().take(12).collect()
    }
}

/// A value that a target showed, by the receipts of that target: one of ours, or another one.
pub(super) fn picture_of(user: UserId, receipts: &[Receipt], value: Digest) -> ShownPicture {
    let own = receipts.iter().rfind(|receipt| receipt.outcome.is_shown() && receipt.after == Some(value));
    let alt = match own {
        Some(receipt) => format!("the picture of entry {}", receipt.seq),
        None => NOT_OURS.to_owned(),
    };
    ShownPicture { path: before_path(user, value), alt, facts: String::new(), sha256: value }
}

const NOT_OURS: &str = "a picture that photorelay did not write";

/// The pictures of a user by their digests: whatever a receipt names is one of these, or a value that was kept.
#[derive(Debug)]
pub(super) struct Album {
    user: UserId,
    known: BTreeMap<Digest, (u32, String)>,
}

impl Album {
    pub(super) fn of(user: UserId, entries: &[AuditEntry]) -> Self {
        let mut known = BTreeMap::new();
        for entry in entries {
            let Some(photo) = &entry.photo else { continue };
            for rendition in &entry.renditions {
                let path = rendition_path(user, photo.sha256, &rendition.name, rendition.sha256);
                known.entry(rendition.sha256).or_insert((entry.seq, path));
            }
        }
        Self { user, known }
    }

    /// What a target showed, by its digest.
    pub(super) fn picture(&self, value: Digest) -> ShownPicture {
        let (path, alt) = match self.known.get(&value) {
            Some((seq, path)) => (path.clone(), format!("the picture of entry {seq}")),
            None => (before_path(self.user, value), NOT_OURS.to_owned()),
        };
        ShownPicture { path, alt, facts: String::new(), sha256: value }
    }
}

#[derive(Debug)]
pub(super) struct Version {
    pub(super) seq: u32,
    pub(super) at: Moment,
    pub(super) kind: &'static str,
    pub(super) cause: &'static str,
    pub(super) reason: Option<String>,
    pub(super) photo: Option<ShownPicture>,
    pub(super) content_type: String,
    pub(super) renditions: Vec<(String, ShownPicture)>,
    pub(super) receipts: Vec<ReceiptView>,
    /// Its way into each target; filled in by the dossier.
    pub(super) ways: Vec<Way>,
    pub(super) by: Option<String>,
    pub(super) trace: Option<String>,
    /// A photo that can be put back, and is not what targets should show anyway.
    pub(super) can_be_restored: bool,
}

/// What a target made of an entry.
#[derive(Debug)]
pub(super) struct ReceiptView {
    pub(super) target: String,
    pub(super) outcome: &'static str,
    pub(super) reason: Option<String>,
    pub(super) server: String,
    pub(super) agent: String,
    pub(super) at: Moment,
    /// From the entry to the receipt.
    pub(super) after_entry: String,
    pub(super) before: Option<ShownPicture>,
    pub(super) after: Option<ShownPicture>,
}

impl Version {
    pub(super) fn of(entry: &AuditEntry, receipts: &[Receipt], album: &Album, is_current: bool) -> Self {
        let user = entry.user_id;
        let photo = entry.photo.as_ref().map(|photo| ShownPicture {
            path: photo_path(user, photo.sha256),
            alt: format!("photo of entry {}", entry.seq),
            facts: format!("{} × {} pixels, {}", photo.width, photo.height, bytes(photo.bytes)),
            sha256: photo.sha256,
        });
        let original = entry.photo.as_ref().map(|photo| photo.sha256);
        let renditions = entry.renditions.iter().filter_map(|rendition| {
            let picture = ShownPicture {
                path: rendition_path(user, original?, &rendition.name, rendition.sha256),
                alt: format!("{} of entry {}", rendition.name, entry.seq),
                facts: format!("{} × {} pixels, {}", rendition.width, rendition.height, bytes(rendition.bytes)),
                sha256: rendition.sha256,
            };
            Some((rendition.name.clone(), picture))
        });
        Self {
            seq: entry.seq,
            at: Moment(entry.observed_at),
            kind: entry.kind.word(),
            cause: cause(entry.cause.kind),
            reason: entry.reason.clone(),
            by: entry.by.clone(),
            ways: Vec::new(),
            content_type: entry.photo.as_ref().map(|photo| photo.content_type.clone()).unwrap_or_default(),
            renditions: renditions.collect(),
            can_be_restored: photo.is_some() && !is_current,
            photo,
            receipts: receipts.iter().map(|receipt| ReceiptView::of(receipt, entry.observed_at, album)).collect(),
            trace: entry.traceparent.as_deref().and_then(|parent| parent.split('-').nth(1)).map(str::to_owned),
        }
    }
}

impl ReceiptView {
    fn of(receipt: &Receipt, observed_at: Timestamp, album: &Album) -> Self {
        Self {
            target: receipt.target.clone(),
            outcome: receipt.outcome.word(),
            reason: receipt.reason.clone(),
            server: receipt.server.clone(),
            agent: receipt.agent.clone(),
            at: Moment(receipt.at),
            after_entry: in_milliseconds(receipt.at.duration_since(observed_at)),
            before: receipt.before.map(|value| album.picture(value)),
            after: receipt.after.map(|value| album.picture(value)),
        }
    }
}

/// A time span as precise as it matters: milliseconds below ten seconds.
pub(super) fn in_milliseconds(span: SignedDuration) -> String {
    match span.as_millis() {
        ms @ ..10_000 => format!("{ms} ms"),
        _ => crate::jobs::watch::words(span),
    }
}

fn cause(kind: CauseKind) -> &'static str {
    match kind {
        CauseKind::Notification => "a notification",
        CauseKind::Sweep => "a sweep",
        CauseKind::Operator => "an operator",
    }
}
