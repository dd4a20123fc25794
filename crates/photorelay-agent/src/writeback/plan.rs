//! What bringing somebody up would do now, found by the same steps that do it, and without a write of any kind.

use std::fmt;
use std::sync::Arc;

use photorelay_core::audit;
use photorelay_core::contract::{EntryKind, WriteBack};
use photorelay_core::id::{Digest, UserId};

use super::records::ActOutcome;
use super::{WriteBackError, WriteBacks, WritebackSettings};
use crate::connectors::ConnectorError;

/// How what a target shows stands to the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriftState {
    /// It shows what the newest entry says.
    UpToDate,
    /// It shows no photo, and there is one.
    Missing,
    /// It shows an earlier one of ours.
    Different,
    /// It shows a value that photorelay did not write.
    Foreign,
    /// It shows a photo, and there is none any more.
    Surplus,
    /// It cannot show it: nobody is found, or the value does not fit.
    Refused,
    /// The person is none of those whom it is to show, and what it shows was not looked at.
    OutOfScope,
}

/// One person in one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub user_id: UserId,
    /// The newest entry that is not refused.
    pub seq: u32,
    pub kind: EntryKind,
    /// In words of the target; none if nobody was found.
    pub place: Option<String>,
    pub shows: Option<Digest>,
    pub wants: Option<Digest>,
    /// Of the value that is wanted.
    pub bytes: u64,
    pub state: DriftState,
    pub would: String,
    /// By which an agent looks at this person.
    pub message: WriteBack,
}

impl WriteBacks {
    /// None if the trail says nothing that concerns targets.
    pub async fn plan(&self, user: UserId) -> Result<Option<Plan>, WriteBackError> {
        let careful = Self {
            settings: Arc::new(WritebackSettings { dry_run: true, ..(*self.settings).clone() }),
            ..self.clone()
        };
        careful.plan_dry(user).await
    }

    async fn plan_dry(&self, user: UserId) -> Result<Option<Plan>, WriteBackError> {
        let blobs = &*self.storage.blobs;
        let sequence = audit::sequence_numbers(blobs, user).await?;
        let Some(newest) = audit::newest_not_refused(blobs, user, &sequence).await? else { return Ok(None) };
        let Some(message) = WriteBack::announcing(&newest.entry, newest.sha256) else { return Ok(None) };
        let newest = self.newest(user, &message).await?;
        let entry = &newest.committed.entry;
        let rendition = entry.renditions.iter().find(|rendition| rendition.name == self.target.rendition());
        let mut plan = Plan {
            user_id: user,
            seq: entry.seq,
            kind: entry.kind,
            place: None,
            shows: None,
            wants: rendition.map(|rendition| rendition.sha256),
            bytes: rendition.map_or(0, |rendition| rendition.bytes),
            state: DriftState::Refused,
            would: String::new(),
            message,
        };
        let out_of_scope = |plan, reason| Plan { state: DriftState::OutOfScope, would: reason, ..plan };
        if let Some(reason) = self.excluded(user) {
            return Ok(Some(out_of_scope(plan, reason.to_owned())));
        }
        let (place, present) = match self.target.find(user, &entry.identity).await {
            Ok(found) => found,
            Err(ConnectorError::OutOfScope(reason)) => return Ok(Some(out_of_scope(plan, reason))),
            Err(ConnectorError::Refused(reason)) => {
                return Ok(Some(Plan { would: format!("refuse: {reason}"), ..plan }));
            }
            Err(error) => return Err(error.into()),
        };
        plan.shows = present.as_deref().map(Digest::of);
        plan.state = match (plan.shows, plan.wants) {
            (shows, wants) if shows == wants => DriftState::UpToDate,
            (None, _) => DriftState::Missing,
            (Some(value), _) if !self.is_ours(user, &newest, value).await? => DriftState::Foreign,
            (Some(_), None) => DriftState::Surplus,
            (Some(_), Some(_)) => DriftState::Different,
        };
        let ending = self.act(user, &newest, &place, present.as_ref(), &mut true).await?;
        plan.place = Some(place.0);
        plan.would = match ending {
            ActOutcome::Shows { .. } => "leave it as it is".to_owned(),
            ActOutcome::Noted { reason, .. } => reason.strip_prefix("would ").map_or(reason.clone(), str::to_owned),
            ActOutcome::Refused { reason, .. } => {
                plan.state = DriftState::Refused;
                format!("refuse: {reason}")
            }
            ActOutcome::Again => "look again, because somebody else writes".to_owned(),
        };
        Ok(Some(plan))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = |value: Option<Digest>| value.map_or("no photo".to_owned(), |value| format!("SHA-256 {value}"));
        writeln!(f, "user    {}", self.user_id)?;
        writeln!(f, "entry   {} ({:?})", self.seq, self.kind)?;
        writeln!(f, "place   {}", self.place.as_deref().unwrap_or("not found"))?;
        writeln!(f, "shows   {}", digest(self.shows))?;
        writeln!(f, "wants   {}", digest(self.wants))?;
        write!(f, "would   {}", self.would)
    }
}
