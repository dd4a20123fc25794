//! Whose an object of the target is when two users were found to be it: a person who left the synchronisation and came
//! back has another object ID and another trail, and is the same object.
//!
//! Two users are one person if they have the same anchor or the same SID. The one whose trail began later has taken the
//! object over. If the earlier trail went on after that, or a list of users of a day later still names the earlier user,
//! both users live: neither is written, and an operator has to decide. What the earlier users wrote is ours.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use photorelay_core::audit::{self, Committed};
use photorelay_core::contract::{CauseKind, EntryKind, Identity, ObjectClaim, Succession, V1};
use photorelay_core::documents;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::store::{BlobStore, list_all};

use super::error::WriteBackError;
use super::population::PopulationReader;
use crate::connectors::EntryRef;

/// A list of users may be behind: one that is this much younger than a trail is not.
const LISTS_ARE_BEHIND: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Clone)]
pub(super) struct Successions {
    blobs: ScopedBlobs,
    population: PopulationReader,
    target: String,
    /// Not in a dry run.
    records: bool,
}

/// Whose the object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ObjectOwner {
    /// This user's; it was these users' before.
    Own { earlier: Vec<UserId> },
    /// Another user's whose trail began later.
    TakenOver(TakenOver),
    /// This user's and another one's.
    Contested(Contested),
}

/// By this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("user {0} has taken over the object in the target")]
pub(super) struct TakenOver(UserId);

/// With this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "user {0} is the same object in the target (same anchor and SID), and both users live: correct the one that is \
     wrong, or run `photorelay forget` for the one that is gone"
)]
pub(super) struct Contested(UserId);

/// When a trail began and when Graph last showed something of its user.
struct TrailSpan {
    began: (Timestamp, UserId),
    last_seen: Timestamp,
    /// When the last list of users was made, if it names the user.
    listed_at: Option<Timestamp>,
    /// Forgotten by an operator, or not synchronised any more.
    is_gone: bool,
    identity: Identity,
}

impl Successions {
    pub(super) fn new(blobs: &Arc<dyn BlobStore>, target: &str, records: bool) -> Self {
        const GRANTS: &[Grant] = &[
            Grant::read(Container::Audit, ""),
            Grant::write(Container::Agents, names::CLAIMS_PREFIX),
            Grant::write(Container::Agents, names::SUCCESSIONS_PREFIX),
        ];
        let population = PopulationReader::new(blobs);
        Self { blobs: ScopedBlobs::new(blobs, GRANTS), population, target: target.to_owned(), records }
    }

    /// Why the target is left as it is: the entry's user is not synchronised any more.
    pub(super) async fn left(&self, newest: &Committed) -> Result<Option<&'static str>, WriteBackError> {
        let entry = &newest.entry;
        let left = self.population.has_left(entry.user_id, entry.observed_at).await?;
        Ok(left.then_some("the user is not synchronised any more: the target keeps what it shows"))
    }

    /// Records that the user was found to be this object, and finds out whose it is.
    pub(super) async fn owner(&self, user: UserId, entry: &EntryRef) -> Result<ObjectOwner, WriteBackError> {
        let object = Digest::of(entry.0.as_bytes());
        let listed = list_all(&self.blobs, Container::Agents, &names::claims_prefix(&self.target, object)).await?;
        let mut others: Vec<UserId> = listed.iter().filter_map(|blob| names::parse_claim(&blob.name)).collect();
        let known = others.len();
        others.retain(|other| *other != user);
        if known == others.len() && self.records {
            let claim = ObjectClaim { v: V1, user_id: user, target: self.target.clone(), object, at: Timestamp::now() };
            let name = names::claim(&self.target, object, user);
            documents::create(&self.blobs, Container::Agents, &name, &claim).await?;
        }
        let mut owner = ObjectOwner::Own { earlier: Vec::new() };
        if others.is_empty() {
            return Ok(owner);
        }
        let Some(own) = self.span(user).await? else { return Ok(owner) };
        for other in others {
            let Some(others_span) = self.span(other).await?.filter(|span| own.is_same_person(span)) else { continue };
            let contested = own.overlaps(&others_span);
            self.record(user, other, own.is_before(&others_span), contested).await?;
            owner = match owner {
                ObjectOwner::Own { .. } if contested => ObjectOwner::Contested(Contested(other)),
                ObjectOwner::Own { .. } if own.is_before(&others_span) => ObjectOwner::TakenOver(TakenOver(other)),
                ObjectOwner::Own { mut earlier } => {
                    earlier.push(other);
                    ObjectOwner::Own { earlier }
                }
                decided => decided,
            };
        }
        Ok(owner)
    }

    async fn span(&self, user: UserId) -> Result<Option<TrailSpan>, WriteBackError> {
        let Some(first) = audit::read(&self.blobs, user, 1).await? else { return Ok(None) };
        let began = first.entry.observed_at;
        let identity = first.entry.identity;
        let listed_at = self.population.listed_at(user).await?;
        let mut span = TrailSpan { began: (began, user), last_seen: began, listed_at, is_gone: false, identity };
        for seq in audit::sequence_numbers(&self.blobs, user).await?.into_iter().rev() {
            let Some(committed) = audit::read(&self.blobs, user, seq).await? else { continue };
            span.is_gone |= committed.entry.kind == EntryKind::Forgotten;
            // An operator's entry says nothing about whether the user lives.
            if committed.entry.cause.kind != CauseKind::Operator {
                (span.last_seen, span.identity) = (committed.entry.observed_at, committed.entry.identity);
                break;
            }
        }
        span.is_gone |= self.population.has_left(user, span.last_seen).await?;
        Ok(Some(span))
    }

    /// For `history` and the watchdog.
    async fn record(
        &self,
        user: UserId,
        other: UserId,
        is_before: bool,
        contested: bool,
    ) -> Result<(), WriteBackError> {
        if !self.records {
            return Ok(());
        }
        let (earlier, later) = if is_before { (user, other) } else { (other, user) };
        let now = Succession { v: V1, target: self.target.clone(), earlier, later, contested, at: Timestamp::now() };
        for name in [names::succession(earlier, later, &self.target), names::succession(later, earlier, &self.target)] {
            let known: Option<Succession> = documents::read(&self.blobs, Container::Agents, &name).await?;
            if known.is_none_or(|known| known.contested != contested) {
                documents::replace(&self.blobs, Container::Agents, &name, &now).await?;
                tracing::warn!(user.id = %earlier, later = %later, contested, "two users are one object of the target");
            }
        }
        Ok(())
    }
}

impl TrailSpan {
    /// An account name is no proof: it may be another person's, in another domain or later.
    fn is_same_person(&self, other: &Self) -> bool {
        let same = |own: &Option<String>, others: &Option<String>| own.is_some() && own == others;
        same(&self.identity.anchor, &other.identity.anchor) || same(&self.identity.sid, &other.identity.sid)
    }

    /// A user who is gone comes before one who is not.
    fn is_before(&self, other: &Self) -> bool {
        (!self.is_gone, self.began) < (!other.is_gone, other.began)
    }

    /// Whether the earlier of the two went on after the later one began: a photo was seen then, or the user was listed.
    fn overlaps(&self, other: &Self) -> bool {
        let (earlier, later) = if self.is_before(other) { (self, other) } else { (other, self) };
        let is_listed = earlier.listed_at.is_some_and(|at| at.duration_since(later.began.0) > LISTS_ARE_BEHIND);
        !earlier.is_gone && (is_listed || earlier.last_seen > later.began.0)
    }
}
