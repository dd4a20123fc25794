//! Steps 3 and 5 of a look: fetching a photo, examining it safely, storing it, and the entry that records it.
//!
//! Bytes that Graph returned are stored untouched. What cannot be decoded safely is never stored and never decoded
//! again: it becomes an entry of kind `refused` with its reason.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use photorelay_core::audit::{self, Committed};
use photorelay_core::contract::{
    AuditEntry, CaptureStatus, EntryKind, Head, Identity, PhotoFacts, RenditionFacts, Seen, V1,
};
use photorelay_core::heads;
use photorelay_core::id::Digest;
use photorelay_core::photo::{self, Fingerprint, Refusal, Rendition};
use photorelay_core::queue::Outgoing;
use photorelay_core::{contract, names, vault};

use super::journal::{Journal, Step};
use super::outcome::{ReconcileError, ReconcileOutcome};
use super::reconciliation::{Reconciliation, Round};
use crate::graph::{FetchedPhoto, GraphUser};

/// What the photo request brought.
pub(super) enum Fetched {
    PhotoContent(PhotoContent),
    Absent(String),
    NoSuchUser,
}

pub(super) enum PhotoContent {
    Bytes {
        bytes: Bytes,
        sha256: Digest,
    },
    /// More than we read; there is nothing to take a digest of.
    TooLarge,
}

impl PhotoContent {
    pub(super) fn sha256(&self) -> Option<Digest> {
        match self {
            PhotoContent::Bytes { sha256, .. } => Some(*sha256),
            PhotoContent::TooLarge => None,
        }
    }
}

/// What a photo turned out to be.
pub(super) enum Examined {
    Usable(Box<Usable>),
    Refused { reason: String },
}

pub(super) struct Usable {
    pub(super) bytes: Bytes,
    pub(super) sha256: Digest,
    pub(super) content_type: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fingerprint: Fingerprint,
    renditions: Vec<Rendition>,
}

impl Reconciliation<'_> {
    /// Step 3.
    pub(super) async fn fetch(&self, journal: &mut Journal) -> Result<Fetched, ReconcileError> {
        Ok(match self.step.graph.photo(self.user).await? {
            FetchedPhoto::Photo { bytes, .. } => {
                let sha256 = Digest::of(&bytes);
                journal.note(Step::Fetch, || format!("fetched {} bytes, SHA-256 {sha256}", bytes.len()));
                Fetched::PhotoContent(PhotoContent::Bytes { bytes, sha256 })
            }
            FetchedPhoto::TooLarge { .. } => {
                journal.note(Step::Fetch, || "more bytes than a photo may have: not read".to_owned());
                Fetched::PhotoContent(PhotoContent::TooLarge)
            }
            FetchedPhoto::Absent { shape } => Fetched::Absent(shape),
            FetchedPhoto::NoSuchUser => Fetched::NoSuchUser,
        })
    }

    /// Decodes the photo and makes its renditions, off the async threads.
    pub(super) async fn examine(
        &self,
        content: &PhotoContent,
        journal: &mut Journal,
    ) -> Result<Examined, ReconcileError> {
        let examined = match content {
            PhotoContent::TooLarge => Examined::Refused { reason: "larger than a photo may be".to_owned() },
            PhotoContent::Bytes { .. } if self.refuses_undecoded() => Examined::Refused {
                reason: "the program died every time it handled this photo; it was not decoded again".to_owned(),
            },
            PhotoContent::Bytes { bytes, sha256 } => {
                let (bytes, sha256) = (bytes.clone(), *sha256);
                let settings = Arc::clone(&self.step.settings);
                let work = move || {
                    let examined = examine(&bytes, sha256, &settings.limits, &settings.renditions);
                    examined.unwrap_or_else(|refusal| Examined::Refused { reason: refusal.to_string() })
                };
                // The task can only fail by a panic, and a decoder that panics refuses the photo.
                tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Examined::Refused {
                    reason: "the decoder failed in a way that it should not".to_owned(),
                })
            }
        };
        journal.note(Step::CompareContent, || match &examined {
            Examined::Usable(usable) => {
                format!("new bytes: {} of {}x{} pixels", usable.content_type, usable.width, usable.height)
            }
            Examined::Refused { reason } => format!("new bytes, refused: {reason}"),
        });
        Ok(examined)
    }

    /// Step 5.
    pub(super) async fn store(&self, examined: &Examined, journal: &mut Journal) -> Result<(), ReconcileError> {
        let Examined::Usable(usable) = examined else { return Ok(()) };
        let blobs = &*self.step.storage.blobs;
        vault::store_photo(blobs, self.user, usable.sha256, usable.content_type, usable.bytes.clone()).await?;
        for rendition in &usable.renditions {
            let bytes = rendition.bytes.clone();
            vault::store_rendition(blobs, self.user, usable.sha256, &rendition.name, rendition.sha256, bytes).await?;
        }
        journal.note(Step::Store, || {
            let renditions: Vec<_> = usable
                .renditions
                .iter()
                .map(|r| format!("{} {}x{} in {} bytes", r.name, r.width, r.height, r.bytes.len()))
                .collect();
            format!("stored photos/{} and {}", names::photo(self.user, usable.sha256), renditions.join(", "))
        });
        Ok(())
    }

    /// The entry that records what was seen.
    pub(super) fn entry(
        &self,
        newest: Option<&Committed>,
        media_etag: &str,
        content: &PhotoContent,
        examined: &Examined,
        person: &GraphUser,
    ) -> AuditEntry {
        let seen = Seen { sha256: content.sha256(), media_etag: Some(media_etag.to_owned()) };
        let base = self.next_entry(newest, seen, person.identity());
        match examined {
            Examined::Refused { reason } => {
                AuditEntry { kind: EntryKind::Refused, reason: Some(reason.clone()), ..base }
            }
            Examined::Usable(usable) => AuditEntry {
                kind: EntryKind::Captured,
                photo: Some(PhotoFacts {
                    sha256: usable.sha256,
                    bytes: usable.bytes.len() as u64,
                    content_type: usable.content_type.to_owned(),
                    width: usable.width,
                    height: usable.height,
                    fingerprint: usable.fingerprint.to_string(),
                }),
                renditions: usable.renditions.iter().map(facts).collect(),
                ..base
            },
        }
    }

    /// An entry that follows the newest one, of a kind and content that the caller sets.
    pub(super) fn next_entry(&self, newest: Option<&Committed>, seen: Seen, identity: Identity) -> AuditEntry {
        let (seq, previous) = Committed::next(newest);
        AuditEntry {
            v: V1,
            seq,
            previous,
            tenant_id: self.step.settings.tenant,
            user_id: self.user,
            kind: EntryKind::Refused,
            cause: self.message.cause.clone(),
            observed_at: Timestamp::now(),
            seen,
            photo: None,
            renditions: Vec::new(),
            identity,
            reason: None,
            traceparent: Some(self.trace.to_string()),
        }
    }

    /// When the person may be captured again, if there were as many captures as a day allows.
    pub(super) async fn over_daily_limit(&self, seq: u32) -> Result<Option<Timestamp>, ReconcileError> {
        let limit = self.step.settings.captures_per_day;
        let Some(oldest) = (seq + 1).checked_sub(limit).filter(|oldest| *oldest > 0) else { return Ok(None) };
        let Some(oldest) = audit::read(&*self.step.storage.blobs, self.user, oldest).await? else { return Ok(None) };
        let until = oldest.entry.observed_at + SignedDuration::from_hours(24);
        Ok((until > Timestamp::now()).then_some(until))
    }

    /// Nothing is lost: the head stays without an ETag, and one check comes back when the day is over.
    pub(super) async fn park(
        &self,
        head: Option<Head>,
        seq: u32,
        until: Timestamp,
        journal: &mut Journal,
    ) -> Result<Round, ReconcileError> {
        let now = Timestamp::now();
        let waiting =
            head.is_some_and(|head| matches!(head.capture_status, CaptureStatus::Parked { until } if until > now));
        journal.note(Step::CompareContent, || format!("too many changes within a day: looked at again at {until}"));
        if !waiting {
            let parked = Head { capture_status: CaptureStatus::Parked { until }, ..Head::at(self.user, seq, now) };
            heads::write(&*self.step.storage.blobs, &parked).await?;
            let check = contract::CheckMessage { users: vec![self.user], attempt: 0, ..self.message.clone() };
            let delay = until.duration_since(now).unsigned_abs();
            let message = Outgoing::after(delay, contract::to_bytes(&check));
            self.step.storage.queues.send(names::CHECKS_QUEUE, vec![message]).await?;
            tracing::warn!(
                user.id = %self.user,
                limit = self.step.settings.captures_per_day,
                %until,
                "too many photo changes within a day, which may be a loop; looked at again later"
            );
        }
        Ok(Round::Done(ReconcileOutcome::Parked { until }))
    }
}

fn facts(rendition: &Rendition) -> RenditionFacts {
    RenditionFacts {
        name: rendition.name.clone(),
        sha256: rendition.sha256,
        bytes: rendition.bytes.len() as u64,
        width: rendition.width,
        height: rendition.height,
    }
}

fn examine(
    bytes: &Bytes,
    sha256: Digest,
    limits: &photo::PhotoLimits,
    specs: &[photo::RenditionSpec],
) -> Result<Examined, Refusal> {
    let upright = photo::decode(bytes, limits)?;
    let renditions = specs.iter().map(|spec| upright.render(spec)).collect::<Result<_, _>>()?;
    Ok(Examined::Usable(Box::new(Usable {
        bytes: bytes.clone(),
        sha256,
        content_type: upright.content_type(),
        width: upright.width(),
        height: upright.height(),
        fingerprint: upright.fingerprint(),
        renditions,
    })))
}
