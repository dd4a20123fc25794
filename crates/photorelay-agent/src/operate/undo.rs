//! `undo` for one user or all: what it would do, counted beforehand, and then done user by user.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use anyhow::{Result, bail, ensure};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::progress::ProgressLine;
use photorelay_core::undo::UndoStep;
use photorelay_core::wording::counted;
use serde::Serialize;

use crate::writeback::{ClearingLimit, Reconciler, UndoOutcome};

/// What undoing would do for each of these users.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoSurvey {
    #[serde(skip)]
    pub steps: Vec<(UserId, UndoStep)>,
    put_back: u32,
    clear: u32,
    /// Users by reason.
    leave: BTreeMap<String, u32>,
}

/// What became of one user, or would become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoneUser {
    user_id: UserId,
    outcome: UndoWord,
    /// What is put back or cleared; none where nothing is.
    value: Option<Digest>,
    /// Why nothing is.
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum UndoWord {
    WouldPutBack,
    WouldClear,
    PutBack,
    Cleared,
    Left,
    Failed,
}

impl UndoSurvey {
    /// Reads the target for this user, or for every user for whom there may be something to undo. Writes nothing.
    pub async fn of(reconciler: &Reconciler, user: Option<UserId>, progress: &ProgressLine) -> Result<Self> {
        let users = match user {
            Some(user) => [user].into(),
            None => reconciler.users_to_undo().await?,
        };
        let mut survey = Self::default();
        for user in users {
            let step = match reconciler.plan_undo(user).await {
                Ok(step) => step,
                // The others can be undone all the same.
                Err(error) => UndoStep::Leave(error.to_string()),
            };
            match &step {
                UndoStep::PutBack(_) => survey.put_back += 1,
                UndoStep::Clear(_) => survey.clear += 1,
                UndoStep::Leave(reason) => *survey.leave.entry(reason.clone()).or_default() += 1,
            }
            survey.steps.push((user, step));
            progress.advance();
        }
        Ok(survey)
    }

    pub fn is_empty(&self) -> bool {
        self.changes() == 0
    }

    /// How many users there are for whom something can be undone.
    pub fn changes(&self) -> u32 {
        self.put_back + self.clear
    }

    /// How the photos may be cleared that the survey counted; `Err` says what the operator has to confirm.
    pub async fn clearing(&self, reconciler: &Reconciler, confirmed: Option<u32>) -> Result<ClearingLimit> {
        let photos = counted(self.clear.into(), "photo", "photos");
        if let Some(confirmed) = confirmed {
            ensure!(confirmed == self.clear, "{photos} would be cleared, not {confirmed}: nothing was changed");
            return Ok(ClearingLimit::Confirmed);
        }
        let limit = reconciler.removals_per_day().await?;
        if self.clear > limit {
            bail!(
                "{photos} would be cleared, and the deletion threshold is {limit} a day: \
                 confirm the number with --clear {}",
                self.clear
            );
        }
        Ok(ClearingLimit::Threshold)
    }

    /// Undoes what the survey found, as it is now, and hands on what became of each user. Goes on after a user who fails,
    /// and returns how many failed.
    pub async fn carry_out(
        &self,
        reconciler: &Reconciler,
        signature: &OperatorSignature,
        clearing: ClearingLimit,
        mut each: impl FnMut(UndoneUser) -> io::Result<()>,
    ) -> Result<u64> {
        let mut failed = 0;
        for (user, _) in self.steps.iter().filter(|(_, step)| !matches!(step, UndoStep::Leave(_))) {
            let undone = match reconciler.undo(*user, signature, clearing).await {
                Ok(UndoOutcome::Undone(UndoStep::PutBack(value))) => UndoneUser::shown(*user, UndoWord::PutBack, value),
                Ok(UndoOutcome::Undone(UndoStep::Clear(value))) => UndoneUser::shown(*user, UndoWord::Cleared, value),
                Ok(UndoOutcome::Would(step)) => UndoneUser::would(*user, &step),
                Ok(UndoOutcome::Undone(UndoStep::Leave(reason)) | UndoOutcome::Left(reason)) => {
                    UndoneUser::unchanged(*user, UndoWord::Left, reason)
                }
                Err(error) => {
                    failed += 1;
                    UndoneUser::unchanged(*user, UndoWord::Failed, error.to_string())
                }
            };
            each(undone)?;
        }
        Ok(failed)
    }

    /// What would become of each user.
    pub fn list(&self) -> impl Iterator<Item = UndoneUser> {
        self.steps.iter().map(|(user, step)| UndoneUser::would(*user, step))
    }

    /// What became of those whom the survey left alone.
    pub fn left(&self) -> impl Iterator<Item = UndoneUser> {
        self.list().filter(|user| user.outcome == UndoWord::Left)
    }
}

impl fmt::Display for UndoSurvey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leave: u32 = self.leave.values().sum();
        write!(f, "put back {}, clear {}, leave {leave}", self.put_back, self.clear)?;
        self.leave.iter().try_for_each(|(reason, users)| write!(f, "\n  left {users}: {reason}"))
    }
}

impl UndoneUser {
    fn would(user_id: UserId, step: &UndoStep) -> Self {
        match step {
            UndoStep::PutBack(value) => Self::shown(user_id, UndoWord::WouldPutBack, *value),
            UndoStep::Clear(value) => Self::shown(user_id, UndoWord::WouldClear, *value),
            UndoStep::Leave(reason) => Self::unchanged(user_id, UndoWord::Left, reason.clone()),
        }
    }

    fn shown(user_id: UserId, outcome: UndoWord, value: Digest) -> Self {
        Self { user_id, outcome, value: Some(value), reason: None }
    }

    fn unchanged(user_id: UserId, outcome: UndoWord, reason: String) -> Self {
        Self { user_id, outcome, value: None, reason: Some(reason) }
    }
}

impl fmt::Display for UndoneUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let does = match self.outcome {
            UndoWord::WouldPutBack => "would put back ",
            UndoWord::WouldClear => "would clear ",
            UndoWord::PutBack => "put back ",
            UndoWord::Cleared => "cleared ",
            UndoWord::Left => "",
            UndoWord::Failed => "failed: ",
        };
        let value = self.value.map(|value| value.to_string());
        let what = value.as_deref().or(self.reason.as_deref()).unwrap_or_default();
        write!(f, "{}  {does}{what}", self.user_id)
    }
}
