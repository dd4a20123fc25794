//! A photo that is not found: nothing is removed on one answer.
//!
//! Not-found counts only if targets are supposed to show a photo and the person exists. Then a second look follows
//! after the hold time; only if that one finds nothing either, the trail has not moved and nobody saw the photo in
//! between, an entry of kind `removed` is committed. Whatever does not fit starts the hold time anew.

use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::audit::{self, Committed};
use photorelay_core::contract::{self, Absence, AuditEntry, CheckMessage, EntryKind, FetchPolicy, Head, Seen};
use photorelay_core::heads;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::queue::Outgoing;

use super::journal::{Journal, Step};
use super::outcome::{ReconcileError, ReconcileOutcome};
use super::reconciliation::{Reconciliation, Round};
use crate::graph::{GraphUser, PhotoState};

impl Reconciliation<'_> {
    pub(super) async fn photo_absent(
        &self,
        head: Option<Head>,
        seq: u32,
        shape: &str,
        journal: &mut Journal,
    ) -> Result<Round, ReconcileError> {
        let newest = self.newest(seq).await?;
        let Some(newest) = newest.filter(|_| head.is_some()) else {
            journal.note(Step::CompareEtag, || format!("no photo ({shape}), and there was none before"));
            return Ok(Round::Done(ReconcileOutcome::NoPhoto));
        };
        if !self.shows_photo(&newest).await? {
            journal.note(Step::CompareEtag, || format!("no photo ({shape}), as the trail says"));
            return Ok(Round::Done(ReconcileOutcome::NoPhoto));
        }
        let Some(person) = self.person().await? else { return Ok(Round::Done(ReconcileOutcome::NoSuchUser)) };
        if let Some(reason) = self.left_out(&person).await? {
            return Ok(Round::Done(ReconcileOutcome::OutOfScope { reason: reason.to_owned() }));
        }
        let now = Timestamp::now();
        let hold = self.step.settings.hold;
        let absent_since = head.and_then(|head| head.absent_since);
        if let Some(first_seen_at) = self.second_look_at(seq, absent_since) {
            let waited = Duration::try_from(now.duration_since(first_seen_at)).unwrap_or_default();
            if waited >= hold {
                // A batch can be wrong about one person; whoever removes has asked for that person alone.
                if let PhotoState::Present { .. } = self.step.graph.photo_state(self.user).await? {
                    return Ok(Round::Again);
                }
                return self.commit_removal(&newest, &person, now, journal).await;
            }
            // Clocks differ: the message came early and has to come again.
            self.send_second_look(seq, first_seen_at, hold - waited).await?;
        } else if absent_since.is_none_or(|since| now.duration_since(since).unsigned_abs() >= hold * 2) {
            // Nobody has noticed yet, or the second look that should have come was lost.
            let noted = Head { absent_since: Some(now), ..Head::at(self.user, seq, now) };
            heads::write(&*self.step.storage.blobs, &noted).await?;
            // Somebody who saw the photo before this was written may have been overwritten just now.
            if let PhotoState::Present { .. } = self.step.graph.photo_state(self.user).await? {
                return Ok(Round::Again);
            }
            self.send_second_look(seq, now, hold).await?;
            tracing::warn!(user.id = %self.user, "photo not found; it counts only if a second look finds none either");
        }
        journal.note(Step::CompareEtag, || format!("photo not found ({shape}): a second look follows after {hold:?}"));
        Ok(Round::Done(ReconcileOutcome::Missing))
    }

    async fn commit_removal(
        &self,
        newest: &Committed,
        person: &GraphUser,
        now: Timestamp,
        journal: &mut Journal,
    ) -> Result<Round, ReconcileError> {
        let seen = Seen { sha256: None, media_etag: None };
        let entry = AuditEntry { kind: EntryKind::Removed, ..self.next_entry(Some(newest), seen, person.identity()) };
        let Some(committed) = self.commit(entry, journal).await? else { return Ok(Round::Again) };
        self.announce(&committed, journal).await?;
        let seq = committed.entry.seq;
        heads::write(&*self.step.storage.blobs, &Head::at(self.user, seq, now)).await?;
        Ok(Round::Done(ReconcileOutcome::Removed { seq }))
    }

    /// Whether targets are supposed to show a photo that Graph showed: the newest entry that is not refused has one.
    async fn shows_photo(&self, newest: &Committed) -> Result<bool, ReconcileError> {
        if newest.entry.kind != EntryKind::Refused {
            return Ok(newest.entry.expects_photo());
        }
        let earlier: Vec<u32> = (1..newest.entry.seq).collect();
        let shown = audit::newest_not_refused(&*self.step.storage.blobs, self.user, &earlier).await?;
        Ok(shown.is_some_and(|shown| shown.entry.expects_photo()))
    }

    /// When the photo was first not found, if this message asks for the second look at just that.
    fn second_look_at(&self, seq: u32, absent_since: Option<Timestamp>) -> Option<Timestamp> {
        let absence = self.message.absence.as_ref()?;
        (absence.seq == seq && absent_since == Some(absence.first_seen_at)).then_some(absence.first_seen_at)
    }

    async fn send_second_look(
        &self,
        seq: u32,
        first_seen_at: Timestamp,
        delay: Duration,
    ) -> Result<(), ReconcileError> {
        let check = CheckMessage {
            users: vec![self.user],
            fetch_policy: FetchPolicy::IfChanged,
            attempt: 0,
            absence: Some(Absence { seq, first_seen_at }),
            ..self.message.clone()
        };
        let message = Outgoing::after(delay, contract::to_bytes(&check));
        Ok(self.step.storage.queues.send(CHECKS_QUEUE, vec![message]).await?)
    }
}
