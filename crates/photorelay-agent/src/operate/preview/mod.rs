//! What would be written to the target, for every user of the trail, before anything is: totals, a row for each user, and
//! the pictures. Writes to no target.
//!
//! Users whose plan cannot be worked out are rows too; only a storage or a target that does not work ends it.

mod published;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use photorelay_core::contract::{PreviewRow, PreviewState};
use photorelay_core::id::UserId;
use photorelay_core::storage::Storage;
use photorelay_core::target::Target;
use photorelay_core::vault;
use photorelay_core::wording::counted;
use serde_json::{Value, json};

use crate::quota::QuotaLimits;
use crate::writeback::{Plan, PlannedStep, PlannedUser, Reconciler, WriteBackError};

pub use published::PreviewPublisher;

/// Users planned side by side.
const CONCURRENCY: usize = 8;
/// More reasons than these are counted together.
const MAX_REASONS: usize = 40;
const OTHER_REASONS: &str = "other reasons";
/// No value of a target is larger.
const MAX_VALUE_BYTES: u64 = 4 * 1024 * 1024;

/// One user of a preview, with what only an operator's own report shows.
pub(super) struct PreviewedUser {
    pub row: PreviewRow,
    /// The account name in the directory.
    pub account: Option<String>,
    /// The object in the target's own notation.
    pub object: Option<String>,
    /// The size of the value that would be written.
    pub bytes: u64,
    pub before: Option<Bytes>,
    pub after: Option<Bytes>,
}

/// What all of it comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreviewTotals {
    pub people: u64,
    pub states: BTreeMap<PreviewState, u64>,
    /// Those who would not be written, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// To every domain controller.
    pub bytes: u64,
}

impl PreviewTotals {
    fn count(&mut self, user: &PreviewedUser) {
        let state = user.row.state;
        self.people += 1;
        *self.states.entry(state).or_default() += 1;
        if state.is_write() {
            self.bytes += user.bytes;
        } else if state != PreviewState::UpToDate {
            let kind = crate::health::kind(&user.row.would);
            let is_known = self.left_out.len() < MAX_REASONS || self.left_out.contains_key(&kind);
            *self.left_out.entry(if is_known { kind } else { OTHER_REASONS.to_owned() }).or_default() += 1;
        }
    }

    pub fn writes(&self) -> u64 {
        self.states.iter().filter(|(state, _)| state.is_write()).map(|(_, count)| count).sum()
    }

    /// Users whose target is not what it should be, for whatever reason.
    pub fn differing(&self) -> u64 {
        let agrees = |state: &PreviewState| matches!(state, PreviewState::UpToDate | PreviewState::LeftOut);
        self.states.iter().filter(|(state, _)| !agrees(state)).map(|(_, count)| count).sum()
    }

    /// As people read them: a label and a text each.
    pub fn lines(&self, limits: QuotaLimits) -> Vec<(String, String)> {
        let mut lines = vec![("people".to_owned(), self.people.to_string())];
        lines.extend(self.states.iter().map(|(state, count)| (word(*state).to_owned(), count.to_string())));
        lines.push((
            "to write".to_owned(),
            format!("{}, to every domain controller", counted(self.bytes, "byte", "bytes")),
        ));
        if let Some(minutes) = self.minutes(limits) {
            lines.push(("time".to_owned(), format!("{minutes} min at the write quota")));
        }
        lines.extend(self.left_out.iter().map(|(reason, count)| (format!("not written: {count}"), reason.clone())));
        lines
    }

    /// docs/commands.md names these members.
    pub fn as_json(&self, target: &str, limits: QuotaLimits, html: Option<&Path>) -> Value {
        json!({
            "target": target, "people": self.people, "states": self.states, "leftOut": self.left_out,
            "bytes": self.bytes, "minutes": self.minutes(limits), "html": html,
        })
    }

    /// How long the writes take within these limits; none without a limit.
    pub fn minutes(&self, limits: QuotaLimits) -> Option<u64> {
        let (writes, day) = (self.writes(), 24 * 60);
        let by_minute = limits.per_minute.map(|rate| writes.div_ceil(u64::from(rate.max(1))));
        let by_day = limits.per_day.map(|rate| writes.saturating_sub(1) / u64::from(rate.max(1)) * day);
        by_minute.max(by_day)
    }
}

/// What a preview is worked out from.
#[derive(Debug, Clone, Copy)]
pub struct PreviewSource<'a> {
    pub reconciler: &'a Reconciler,
    pub storage: &'a Storage,
    /// Only users whom it serves are looked at.
    pub serving: &'a Target,
}

/// Plans every user whom the target serves, oldest id first, and hands each to `each`. Pictures are read only if they are
/// wanted.
pub(super) async fn preview(
    PreviewSource { reconciler, storage, serving }: PreviewSource<'_>,
    with_pictures: bool,
    mut each: impl AsyncFnMut(PreviewedUser) -> Result<()>,
) -> Result<PreviewTotals> {
    let mut totals = PreviewTotals::default();
    let mut trail = reconciler.trail().users_after(None);
    while let Some(users) = trail.next_page().await? {
        let planned = users.into_iter().map(|user| async move { (user, reconciler.planned_for(user, serving).await) });
        let mut planned = stream::iter(planned).buffered(CONCURRENCY);
        while let Some((user, planned)) = planned.next().await {
            let previewed = match planned {
                Ok(None) => continue,
                Ok(Some(planned)) => previewed(planned, storage, with_pictures).await,
                Err(WriteBackError::Down(reason)) => bail!(reason),
                Err(error) => failed(user, &error, reconciler),
            };
            totals.count(&previewed);
            each(previewed).await?;
        }
    }
    Ok(totals)
}

/// One user, with pictures; none if no entry concerns targets.
pub(super) async fn preview_of(
    reconciler: &Reconciler,
    storage: &Storage,
    user: UserId,
) -> Result<Option<PreviewedUser>> {
    Ok(match reconciler.planned(user).await {
        Ok(None) => None,
        Ok(Some(planned)) => Some(previewed(planned, storage, true).await),
        Err(WriteBackError::Down(reason)) => bail!(reason),
        Err(error) => Some(failed(user, &error, reconciler)),
    })
}

async fn previewed(planned: PlannedUser, storage: &Storage, with_pictures: bool) -> PreviewedUser {
    let PlannedUser { plan, present, identity, step } = planned;
    let state = match (step, plan.shows, plan.wants) {
        (PlannedStep::Nothing, ..) => PreviewState::UpToDate,
        (PlannedStep::Refuse, ..) => PreviewState::Refused,
        (PlannedStep::AskOperator, ..) => PreviewState::Waits,
        (PlannedStep::Note, ..) => PreviewState::LeftOut,
        (PlannedStep::Write, _, None) => PreviewState::Remove,
        (PlannedStep::Write, None, Some(_)) => PreviewState::Add,
        (PlannedStep::Write, Some(_), Some(_)) => PreviewState::Replace,
    };
    let after = if with_pictures { wanted(storage, &plan).await } else { None };
    PreviewedUser {
        row: PreviewRow {
            user_id: plan.user_id,
            seq: plan.seq,
            state,
            would: plan.would,
            shows: plan.shows,
            photo: plan.message.data.photo.as_ref().map(|photo| photo.sha256),
            wants: plan.wants,
            rendition: plan.rendition,
        },
        account: identity.sam_account_name,
        object: plan.object,
        bytes: plan.bytes,
        before: present.filter(|_| with_pictures),
        after,
    }
}

/// The rendition that would be written. One that cannot be read is a picture that is missing, and refused by the plan.
async fn wanted(storage: &Storage, plan: &Plan) -> Option<Bytes> {
    let wants = plan.wants?;
    let rendition = plan.message.data.renditions.iter().find(|rendition| rendition.sha256 == wants)?;
    vault::read_verified(&*storage.blobs, &rendition.blob, wants, MAX_VALUE_BYTES).await.ok()
}

fn failed(user: UserId, error: &WriteBackError, reconciler: &Reconciler) -> PreviewedUser {
    PreviewedUser {
        row: PreviewRow {
            user_id: user,
            seq: 0,
            state: PreviewState::Failed,
            would: error.to_string(),
            shows: None,
            photo: None,
            wants: None,
            rendition: reconciler.rendition().to_owned(),
        },
        account: None,
        object: None,
        bytes: 0,
        before: None,
        after: None,
    }
}

pub(super) fn word(state: PreviewState) -> &'static str {
    match state {
        PreviewState::Add => "add",
        PreviewState::Replace => "replace",
        PreviewState::Remove => "remove",
        PreviewState::UpToDate => "up to date",
        PreviewState::Waits => "waits for an operator",
        PreviewState::LeftOut => "left out",
        PreviewState::Refused => "refused",
        PreviewState::Failed => "not compared",
    }
}
