//! What bringing up a user would do now, worked out by the same steps that do it, and without a write of any kind.

use std::fmt;

use bytes::Bytes;
use photorelay_core::audit::Committed;
use photorelay_core::contract::{EntryKind, Identity, WriteBack};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::target::Target;
use serde_json::{Value, json};

use super::error::WriteBackError;
use super::next_step::{NextStep, Observed};
use super::reconciler::Reconciler;
use super::succession::ObjectOwner;
use super::trail::{Desired, Newest};
use crate::connectors::ConnectorError;

/// How what a target shows compares with the trail.
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
    /// It cannot show it: no object is found, or the value does not fit.
    Refused,
    /// The user is outside its scope, and what it shows was not read.
    OutOfScope,
}

/// One user in one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub user_id: UserId,
    /// The newest entry that is not refused.
    pub seq: u32,
    pub kind: EntryKind,
    /// The user's object, in the target's own notation; none if it was not found.
    pub object: Option<String>,
    pub shows: Option<Digest>,
    pub wants: Option<Digest>,
    /// The size of the value that is wanted.
    pub bytes: u64,
    /// The rendition that the target takes.
    pub rendition: String,
    pub state: DriftState,
    /// It waits for an operator, and `held` lists it: announcing it again changes nothing.
    pub is_held: bool,
    pub would: String,
    /// Has an agent bring up this user.
    pub message: WriteBack,
}

/// A plan, and the value that the target shows.
pub(crate) struct PlannedUser {
    pub(crate) plan: Plan,
    pub(crate) present: Option<Bytes>,
    pub(crate) identity: Identity,
    pub(crate) step: PlannedStep,
}

/// What the plan comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlannedStep {
    Nothing,
    Write,
    AskOperator,
    Note,
    Refuse,
}

impl Reconciler {
    /// None if the trail says nothing that concerns targets.
    pub async fn plan(&self, user: UserId) -> Result<Option<Plan>, WriteBackError> {
        Ok(self.planned(user).await?.map(|planned| planned.plan))
    }

    /// The same with what it was worked out from.
    pub(crate) async fn planned(&self, user: UserId) -> Result<Option<PlannedUser>, WriteBackError> {
        match self.trail.latest(user).await? {
            Some(latest) => self.planned_entry(latest).await,
            None => Ok(None),
        }
    }

    /// The same of a user whom this target serves; none of another one.
    pub(crate) async fn planned_for(
        &self,
        user: UserId,
        serving: &Target,
    ) -> Result<Option<PlannedUser>, WriteBackError> {
        match self.trail.latest(user).await? {
            Some(latest) if serving.serves(latest.entry.identity.domain.as_deref()) => self.planned_entry(latest).await,
            _ => Ok(None),
        }
    }

    async fn planned_entry(&self, latest: Committed) -> Result<Option<PlannedUser>, WriteBackError> {
        let user = latest.entry.user_id;
        let Some(message) = WriteBack::announcing(&latest.entry, latest.sha256) else { return Ok(None) };
        let newest = self.trail.newest(user, &message).await?;
        let plan = self.not_compared(&newest, message);
        let identity = newest.committed.entry.identity.clone();
        let unread = |plan, step| Ok(Some(PlannedUser { plan, present: None, identity: identity.clone(), step }));
        let out_of_scope =
            |plan, would| unread(Plan { state: DriftState::OutOfScope, would, ..plan }, PlannedStep::Note);
        if let Some(reason) = self.excluded(user) {
            return out_of_scope(plan, reason.to_owned());
        }
        if newest.desired == Desired::Photo
            && let Some(reason) = self.successions.left(&newest.committed).await?
        {
            return out_of_scope(plan, reason.to_owned());
        }
        let (entry, present) = match self.connector.find(user, &newest.committed.entry.identity).await {
            Ok(found) => found,
            Err(ConnectorError::OutOfScope(reason)) => return out_of_scope(plan, reason),
            Err(ConnectorError::Refused(reason)) => {
                let would = NextStep::Refuse { reason }.describe();
                return unread(Plan { would, ..plan }, PlannedStep::Refuse);
            }
            Err(error) => return Err(error.into()),
        };
        let earlier = match self.successions.owner(user, &entry).await? {
            ObjectOwner::Own { earlier } => earlier,
            ObjectOwner::TakenOver(by) => return out_of_scope(plan, by.to_string()),
            ObjectOwner::Contested(with) => return out_of_scope(plan, with.to_string()),
        };
        let observed = Observed { user, newest: &newest, entry: &entry, present: present.as_ref(), earlier: &earlier };
        let step = self.next_step(observed).await?;
        let state = self.drift_state(observed, plan.wants, &step).await?;
        let is_held = match &step {
            NextStep::AskOperator { present, held_for, reason } => {
                self.approvals.is_held(&self.pending_approval(*present, *held_for, reason).await?).await?
            }
            _ => false,
        };
        let (shows, would) = (observed.shows(), step.describe());
        let plan = Plan { object: Some(entry.0), shows, state, is_held, would, ..plan };
        let step = match step {
            NextStep::Nothing => PlannedStep::Nothing,
            NextStep::Write(_) => PlannedStep::Write,
            NextStep::AskOperator { .. } => PlannedStep::AskOperator,
            NextStep::Note { .. } => PlannedStep::Note,
            NextStep::Refuse { .. } => PlannedStep::Refuse,
        };
        Ok(Some(PlannedUser { plan, present, identity, step }))
    }

    async fn drift_state(
        &self,
        observed: Observed<'_>,
        wants: Option<Digest>,
        step: &NextStep,
    ) -> Result<DriftState, WriteBackError> {
        Ok(match (observed.shows(), wants) {
            _ if matches!(step, NextStep::Refuse { .. }) => DriftState::Refused,
            (shows, wants) if shows == wants => match (step, wants) {
                (NextStep::Nothing, _) => DriftState::UpToDate,
                // What is shown beside it is not right.
                (_, Some(_)) => DriftState::Different,
                (_, None) => DriftState::Surplus,
            },
            (None, _) => DriftState::Missing,
            (Some(value), _) if !self.is_ours(observed, value).await? => DriftState::Foreign,
            (Some(_), None) => DriftState::Surplus,
            (Some(_), Some(_)) => DriftState::Different,
        })
    }

    /// The rendition that the target takes.
    pub(crate) fn rendition(&self) -> &str {
        self.connector.rendition()
    }

    /// What is known before the target was read.
    fn not_compared(&self, newest: &Newest, message: WriteBack) -> Plan {
        let entry = &newest.committed.entry;
        let rendition = entry.renditions.iter().find(|rendition| rendition.name == self.connector.rendition());
        Plan {
            user_id: entry.user_id,
            seq: entry.seq,
            kind: entry.kind,
            object: None,
            shows: None,
            wants: rendition.map(|rendition| rendition.sha256),
            bytes: rendition.map_or(0, |rendition| rendition.bytes),
            rendition: self.rendition().to_owned(),
            state: DriftState::Refused,
            is_held: false,
            would: String::new(),
            message,
        }
    }
}

impl Plan {
    /// docs/commands.md names these members.
    pub fn as_json(&self) -> Value {
        json!({
            "userId": self.user_id,
            "seq": self.seq,
            "kind": self.kind,
            "object": self.object,
            "shows": self.shows,
            "wants": self.wants,
            "bytes": self.bytes,
            "state": self.state.as_str(),
            "held": self.is_held,
            "would": self.would,
        })
    }
}

impl DriftState {
    /// In a word or two.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "up to date",
            Self::Missing => "missing",
            Self::Different => "different",
            Self::Foreign => "foreign",
            Self::Surplus => "surplus",
            Self::Refused => "refused",
            Self::OutOfScope => "out of scope",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = |value: Option<Digest>| value.map_or("no photo".to_owned(), |value| format!("SHA-256 {value}"));
        writeln!(f, "user    {}", self.user_id)?;
        writeln!(f, "entry   {} ({:?})", self.seq, self.kind)?;
        writeln!(f, "object  {}", self.object.as_deref().unwrap_or("not found"))?;
        writeln!(f, "shows   {}", digest(self.shows))?;
        writeln!(f, "wants   {}", digest(self.wants))?;
        write!(f, "would   {}", self.would)
    }
}
