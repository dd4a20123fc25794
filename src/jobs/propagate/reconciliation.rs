//! One look at one person: the eight steps, in their order.
//!
//! 1. read the head and whether the trail goes further; if it does, announce that entry and roll the head forward
//! 2. an ETag equal to the head's ends the look
//! 3. fetch the photo and take its digest
//! 4. nothing new, or an echo: go to 8
//! 5. store photo and renditions, create-once
//! 6. commit: create audit entry `n+1`, the only point of decision; taken means start again with a new read of Graph
//! 7. announce the entry
//! 8. read the ETag once more; unchanged: write the head, otherwise start again
//!
//! This file must never use what it read from Graph for a second try, and must never write to a target. It owns the
//! failures "died in between" and "somebody was faster".

use std::time::Instant;

use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::audit::{self, Committed};
use photorelay_core::contract::{
    AuditEntry, CaptureStatus, CauseKind, CheckMessage, EchoSighting, EntryKind, FetchPolicy, Head,
};
use photorelay_core::heads;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::telemetry::{self, metrics};
use photorelay_core::trace::TraceContext;
use tracing::{Instrument, Span};

use super::capture::{Examined, PhotoContent};
use super::journal::{Journal, Step};
use super::outcome::{ReconcileError, ReconcileOutcome};
use super::user_batch::UserBatch;
use super::{Propagate, capture, echo};
use crate::graph::{GraphUser, PhotoState};
use crate::jobs::announce::announce;

/// How often a look starts again before the person goes back to the queue.
const MAX_ROUNDS: u32 = 8;

/// So long the sweep asks again for a photo that was refused.
const REFUSED_SETTLES_AFTER: Duration = Duration::from_secs(24 * 3600);

pub(super) struct Reconciliation<'a> {
    pub(super) step: &'a Propagate,
    pub(super) message: &'a CheckMessage,
    pub(super) user: UserId,
    people: &'a UserBatch,
    /// The process died of this person's photo again and again: it is refused without being decoded.
    refuse_undecoded: bool,
    pub(super) trace: TraceContext,
    span: Span,
}

/// Where a round ended.
pub(super) enum Round {
    Done(ReconcileOutcome),
    /// Start again from step 1 with a new read of Graph.
    Again,
}

impl<'a> Reconciliation<'a> {
    pub(super) fn new(
        step: &'a Propagate,
        message: &'a CheckMessage,
        user: UserId,
        people: &'a UserBatch,
        refuse_undecoded: bool,
    ) -> Self {
        let span = tracing::info_span!("look", user.id = %user, trace.id = tracing::field::Empty);
        let trace = telemetry::step(&span, message.traceparent.as_deref());
        Self { step, message, user, people, refuse_undecoded, trace, span }
    }

    /// Looks until nothing is left to do. `state` is what Graph said last; every further round asks anew.
    pub(super) async fn run(
        &self,
        state: PhotoState,
        journal: &mut Journal,
    ) -> Result<ReconcileOutcome, ReconcileError> {
        let started = Instant::now();
        let result = self.rounds(state, journal).instrument(self.span.clone()).await;
        metrics::looked(result.as_ref().map_or("failed", ReconcileOutcome::word), started.elapsed());
        result
    }

    async fn rounds(&self, state: PhotoState, journal: &mut Journal) -> Result<ReconcileOutcome, ReconcileError> {
        let mut state = state;
        for _ in 0..MAX_ROUNDS {
            match self.round(&state, journal).await? {
                Round::Done(found) => return Ok(found),
                Round::Again => state = self.step.graph.photo_state(self.user).await?,
            }
        }
        Err(ReconcileError::Unstable(MAX_ROUNDS))
    }

    async fn round(&self, state: &PhotoState, journal: &mut Journal) -> Result<Round, ReconcileError> {
        let head = self.read_trail(journal).await?;
        if head.as_ref().is_some_and(|head| head.capture_status == CaptureStatus::Forgotten) {
            return Ok(Round::Done(ReconcileOutcome::Forgotten));
        }
        let seq = head.as_ref().map_or(0, |head| head.seq);
        match state {
            PhotoState::NoSuchUser => Ok(Round::Done(ReconcileOutcome::NoSuchUser)),
            PhotoState::Absent { shape } => self.photo_absent(head, seq, shape, journal).await,
            PhotoState::Present { media_etag } => {
                if !self.wants_look(head.as_ref(), media_etag, journal) {
                    return Ok(Round::Done(ReconcileOutcome::Nothing));
                }
                self.photo_present(head, seq, media_etag, journal).await
            }
        }
    }

    /// Step 1. Entries that the head does not know were committed by somebody who died or was faster: each is
    /// announced, and the head rolls forward without an ETag.
    async fn read_trail(&self, journal: &mut Journal) -> Result<Option<Head>, ReconcileError> {
        let blobs = &*self.step.storage.blobs;
        let mut head = heads::read(blobs, self.user).await?;
        if head.is_none() {
            // A head that was lost is rebuilt from the newest entry; earlier ones are covered by it.
            let Some(newest) = audit::sequence_numbers(blobs, self.user).await?.last().copied() else {
                journal.note(Step::ReadTrail, || "no head and no audit entry: nobody has looked before".to_owned());
                return Ok(None);
            };
            head = Some(Head::at(self.user, newest - 1, Timestamp::now()));
        }
        while let Some(known) = &head {
            let Some(next) = audit::read(blobs, self.user, known.seq + 1).await? else { break };
            let seq = next.entry.seq;
            let told = announce(&*self.step.storage.queues, &self.step.settings.targets, &next).await?;
            journal.note(Step::ReadTrail, || format!("entry {seq} was left half done: announced to {told:?} again"));
            let rolled = Head {
                sha256: next.entry.seen.sha256,
                capture_status: capture_status_after(next.entry.kind),
                ..Head::at(self.user, seq, Timestamp::now())
            };
            heads::write(blobs, &rolled).await?;
            head = Some(rolled);
        }
        if let Some(head) = &head {
            journal.note(Step::ReadTrail, || {
                let settled = if head.settled { "settled" } else { "not settled" };
                format!(
                    "head at entry {}, {settled}, ETag {}",
                    head.seq,
                    head.media_etag.as_deref().unwrap_or("not known")
                )
            });
        }
        Ok(head)
    }

    /// Step 2.
    fn wants_look(&self, head: Option<&Head>, media_etag: &str, journal: &mut Journal) -> bool {
        let unchanged = head.is_some_and(|head| head.media_etag.as_deref() == Some(media_etag));
        let always = self.message.fetch_policy == FetchPolicy::Always;
        journal.note(Step::CompareEtag, || match (unchanged, always) {
            (true, false) => format!("ETag {media_etag} is the head's: nothing changed"),
            (true, true) => format!("ETag {media_etag} is the head's, and the bytes are to be looked at anyway"),
            (false, _) => format!("ETag {media_etag} is new: maybe changed"),
        });
        always || !unchanged
    }

    /// Steps 3 to 8 for somebody who has a photo.
    async fn photo_present(
        &self,
        head: Option<Head>,
        seq: u32,
        media_etag: &str,
        journal: &mut Journal,
    ) -> Result<Round, ReconcileError> {
        let person = match self.person_in_scope(head.as_ref(), seq, media_etag, journal).await? {
            InScope::Yes(person) => person,
            InScope::No(found) => return Ok(Round::Done(found)),
        };
        // Bytes can be as old as this; what is believed later is counted from here.
        let asked_at = Timestamp::now();
        let content = match self.fetch(journal).await? {
            capture::Fetched::PhotoContent(content) => content,
            capture::Fetched::Absent(shape) => return self.photo_absent(head, seq, &shape, journal).await,
            capture::Fetched::NoSuchUser => return Ok(Round::Done(ReconcileOutcome::NoSuchUser)),
        };
        let newest = self.newest(seq).await?;
        let known = is_known(&content, newest.as_ref(), media_etag);
        let settles_after = self.settles_after(newest.as_ref().filter(|_| known));
        let sight = FetchedState { media_etag, sha256: content.sha256(), asked_at, echo: None, settles_after };
        if known && !self.looks_again_at_refused(newest.as_ref()) {
            journal.note(Step::CompareContent, || "the same bytes as the newest entry saw".to_owned());
            return self.confirm(head, seq, sight, ReconcileOutcome::Nothing, journal).await;
        }
        let examined = self.examine(&content, journal).await?;
        match &examined {
            Examined::Refused { .. } if known => {
                return self.confirm(head, seq, sight, ReconcileOutcome::Nothing, journal).await;
            }
            Examined::Refused { .. } => {}
            Examined::Usable(usable) => {
                if let Some(of_seq) = echo::of_which(self, usable, seq).await? {
                    journal.note(Step::CompareContent, || format!("an echo of entry {of_seq}: not captured"));
                    tracing::info!(user.id = %self.user, of_seq, photo.sha256 = %usable.sha256, "echo recognised");
                    let echo = EchoSighting { sha256: usable.sha256, of_seq, seen_at: asked_at };
                    let sight = FetchedState { echo: Some(echo), ..sight };
                    return self.confirm(head, seq, sight, ReconcileOutcome::Echo { of_seq }, journal).await;
                }
            }
        }
        if let Some(until) = self.over_daily_limit(seq).await? {
            return self.park(head, seq, until, journal).await;
        }
        self.store(&examined, journal).await?;
        let entry = self.entry(newest.as_ref(), media_etag, &content, &examined, &person);
        let Some(committed) = self.commit(entry, journal).await? else { return Ok(Round::Again) };
        self.announce(&committed, journal).await?;
        let seq = committed.entry.seq;
        let found = match committed.entry.reason {
            Some(reason) => ReconcileOutcome::Refused { seq, reason },
            None => ReconcileOutcome::Captured { seq },
        };
        self.confirm(head, seq, sight, found, journal).await
    }

    /// What was refused may be half of a photo, or a page of some proxy, in an answer that says it is whole.
    fn settles_after(&self, known: Option<&Committed>) -> Duration {
        let hold = self.step.settings.hold;
        match known {
            Some(known) if known.entry.kind == EntryKind::Refused => hold.max(REFUSED_SETTLES_AFTER),
            _ => hold,
        }
    }

    /// An operator who asks about a refused photo has it examined anew: the program may have been mended since.
    fn looks_again_at_refused(&self, newest: Option<&Committed>) -> bool {
        let refused = newest.is_some_and(|newest| newest.entry.kind == EntryKind::Refused);
        refused && self.message.cause.kind == CauseKind::Operator
    }

    /// Who the person is, if their photos are carried at all. Somebody who is left out is noted in the head.
    async fn person_in_scope(
        &self,
        head: Option<&Head>,
        seq: u32,
        media_etag: &str,
        journal: &mut Journal,
    ) -> Result<InScope, ReconcileError> {
        let Some(person) = self.person().await? else { return Ok(InScope::No(ReconcileOutcome::NoSuchUser)) };
        let Some(reason) = self.left_out(&person).await? else { return Ok(InScope::Yes(person)) };
        journal.note(Step::CompareEtag, || format!("out of scope: {reason}"));
        let capture_status = CaptureStatus::OutOfScope { reason: reason.to_owned() };
        let noted = Head {
            media_etag: Some(media_etag.to_owned()),
            capture_status,
            ..Head::at(self.user, seq, Timestamp::now())
        };
        if head.is_none_or(|head| head.media_etag != noted.media_etag || head.capture_status != noted.capture_status) {
            heads::write(&*self.step.storage.blobs, &noted).await?;
        }
        Ok(InScope::No(ReconcileOutcome::OutOfScope { reason: reason.to_owned() }))
    }

    /// Why the person's photos are not carried.
    pub(super) async fn left_out(&self, person: &GraphUser) -> Result<Option<&'static str>, ReconcileError> {
        let scope = &self.step.settings.scope;
        if let Some(reason) = scope.left_out(person) {
            return Ok(Some(reason));
        }
        let is_admitted = match scope.admits(self.user) {
            Some(is_admitted) => is_admitted,
            None => self.people.is_in_groups(&self.step.graph, &scope.groups, self.user).await?,
        };
        Ok((!is_admitted).then(|| scope.outside_groups()))
    }

    pub(super) async fn person(&self) -> Result<Option<GraphUser>, ReconcileError> {
        Ok(self.people.get(&self.step.graph, self.user).await?)
    }

    /// The entry that the next one has to be chained to.
    pub(super) async fn newest(&self, seq: u32) -> Result<Option<Committed>, ReconcileError> {
        if seq == 0 {
            return Ok(None);
        }
        let newest = audit::read(&*self.step.storage.blobs, self.user, seq).await?;
        newest.map(Some).ok_or(ReconcileError::TrailCut { seq })
    }

    /// Step 6. None means that the number is taken: what we know is stale.
    pub(super) async fn commit(
        &self,
        entry: AuditEntry,
        journal: &mut Journal,
    ) -> Result<Option<Committed>, ReconcileError> {
        let seq = entry.seq;
        match audit::commit(&*self.step.storage.blobs, entry).await? {
            Some(committed) => {
                journal.note(Step::Commit, || format!("committed as entry {seq}"));
                metrics::committed(committed.entry.kind, committed.entry.cause.kind);
                tracing::info!(
                    user.id = %self.user,
                    seq,
                    kind = ?committed.entry.kind,
                    reason = committed.entry.reason,
                    photo.sha256 = committed.entry.photo.as_ref().map(|photo| tracing::field::display(photo.sha256)),
                    trace = %self.trace,
                    "committed"
                );
                Ok(Some(committed))
            }
            None => {
                journal.note(Step::Commit, || format!("entry {seq} exists already: starting again"));
                Ok(None)
            }
        }
    }

    /// Step 7.
    pub(super) async fn announce(&self, committed: &Committed, journal: &mut Journal) -> Result<(), ReconcileError> {
        let told = announce(&*self.step.storage.queues, &self.step.settings.targets, committed).await?;
        journal.note(Step::Announce, || match told.as_slice() {
            [] => "no target has to hear of it".to_owned(),
            told => format!("announced to {}", told.join(", ")),
        });
        Ok(())
    }

    /// Step 8. What Graph showed is believed to have been at rest only if the ETag is still the one from before the
    /// fetch. It is settled only if the bytes were asked for a hold time after they were first seen: bytes that were
    /// fetched before, and confirmed after, can be old ones.
    async fn confirm(
        &self,
        before: Option<Head>,
        seq: u32,
        sight: FetchedState<'_>,
        found: ReconcileOutcome,
        journal: &mut Journal,
    ) -> Result<Round, ReconcileError> {
        let media_etag = sight.media_etag;
        match self.step.graph.photo_state(self.user).await? {
            PhotoState::Present { media_etag: after } if after == media_etag => {}
            _ => {
                journal.note(Step::Confirm, || "Graph shows something else by now: starting again".to_owned());
                return Ok(Round::Again);
            }
        }
        let now = Timestamp::now();
        let same = before.as_ref().filter(|head| {
            head.seq == seq && head.media_etag.as_deref() == Some(media_etag) && head.sha256 == sight.sha256
        });
        let held = |since: Timestamp| Duration::try_from(sight.asked_at.duration_since(since)).unwrap_or_default();
        let head = Head {
            media_etag: Some(media_etag.to_owned()),
            sha256: sight.sha256,
            settled: same.is_some_and(|head| head.settled || held(head.since) >= sight.settles_after),
            since: same.map_or(now, |head| head.since),
            fetched_at: Some(sight.asked_at),
            echo: sight.echo.or_else(|| before.as_ref().and_then(|head| head.echo.clone())),
            ..Head::at(self.user, seq, now)
        };
        heads::write(&*self.step.storage.blobs, &head).await?;
        journal.note(Step::Confirm, || {
            format!("ETag {media_etag} still holds; head written at entry {seq}, settled: {}", head.settled)
        });
        Ok(Round::Done(found))
    }

    pub(super) fn refuses_undecoded(&self) -> bool {
        self.refuse_undecoded
    }
}

/// What Graph showed in one round, and when it was asked for.
struct FetchedState<'a> {
    media_etag: &'a str,
    sha256: Option<Digest>,
    asked_at: Timestamp,
    echo: Option<EchoSighting>,
    /// How long the same has to be seen before it is believed to be at rest.
    settles_after: Duration,
}

enum InScope {
    Yes(GraphUser),
    No(ReconcileOutcome),
}

fn capture_status_after(kind: EntryKind) -> CaptureStatus {
    match kind {
        EntryKind::Forgotten => CaptureStatus::Forgotten,
        EntryKind::Captured | EntryKind::Removed | EntryKind::Restored | EntryKind::Refused => CaptureStatus::Active,
    }
}

/// Step 4: whether the newest entry saw just this. A photo too large to be read has no digest; there the ETag decides.
fn is_known(content: &PhotoContent, newest: Option<&Committed>, media_etag: &str) -> bool {
    let Some(newest) = newest else { return false };
    match content.sha256() {
        Some(sha256) => newest.entry.seen.sha256 == Some(sha256),
        None => newest.entry.kind == EntryKind::Refused && newest.entry.seen.media_etag.as_deref() == Some(media_etag),
    }
}
