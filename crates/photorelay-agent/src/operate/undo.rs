//! `undo` for one user or all: what it would do, counted beforehand, and then done user by user.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

use anyhow::{Result, bail, ensure};
use photorelay_core::id::UserId;
use photorelay_core::operator::OperatorSignature;

use crate::writeback::{ClearingLimit, Reconciler, UndoOutcome, UndoStep};

/// What undoing would do for each of these users.
#[derive(Debug, Default)]
pub struct UndoSurvey {
    pub steps: Vec<(UserId, UndoStep)>,
    put_back: u32,
    clear: u32,
    leave: BTreeMap<String, u32>,
}

impl UndoSurvey {
    /// Reads the target for this user, or for every user for whom there may be something to undo. Writes nothing.
    pub async fn of(reconciler: &Reconciler, user: Option<UserId>) -> Result<Self> {
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
        }
        Ok(survey)
    }

    pub fn is_empty(&self) -> bool {
        self.put_back + self.clear == 0
    }

    /// How the photos may be cleared that the survey counted; `Err` says what the operator has to confirm.
    pub async fn clearing(&self, reconciler: &Reconciler, confirmed: Option<u32>) -> Result<ClearingLimit> {
        if let Some(confirmed) = confirmed {
            let clear = self.clear;
            ensure!(confirmed == clear, "{clear} photos would be cleared, not {confirmed}: nothing was changed");
            return Ok(ClearingLimit::Confirmed);
        }
        let limit = reconciler.removals_per_day().await?;
        if self.clear > limit {
            bail!(
                "{0} photos would be cleared, and the deletion threshold is {limit} a day: \
                 confirm the number with --clear {0}",
                self.clear
            );
        }
        Ok(ClearingLimit::Threshold)
    }

    /// Undoes what the survey found, as it is now. Goes on after a user who fails, and fails in the end.
    pub async fn carry_out(
        &self,
        reconciler: &Reconciler,
        signature: &OperatorSignature,
        clearing: ClearingLimit,
        out: &mut dyn Write,
    ) -> Result<()> {
        let mut failed = 0_u32;
        for (user, _) in self.steps.iter().filter(|(_, step)| !matches!(step, UndoStep::Leave(_))) {
            match reconciler.undo(*user, signature, clearing).await {
                Ok(UndoOutcome::Undone(UndoStep::Clear(value))) => writeln!(out, "{user}  cleared {value}")?,
                Ok(UndoOutcome::Undone(UndoStep::PutBack(value))) => writeln!(out, "{user}  put back {value}")?,
                Ok(UndoOutcome::Would(step)) => writeln!(out, "{user}  {}", Would(&step))?,
                Ok(UndoOutcome::Undone(UndoStep::Leave(reason)) | UndoOutcome::Left(reason)) => {
                    writeln!(out, "{user}  {reason}")?;
                }
                Err(error) => {
                    writeln!(out, "{user}  failed: {error}")?;
                    failed += 1;
                }
            }
        }
        ensure!(failed == 0, "{failed} users could not be undone");
        Ok(())
    }

    /// One line for each user.
    pub fn list(&self, out: &mut dyn Write) -> std::io::Result<()> {
        self.steps.iter().try_for_each(|(user, step)| writeln!(out, "{user}  {}", Would(step)))
    }
}

impl fmt::Display for UndoSurvey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leave: u32 = self.leave.values().sum();
        write!(f, "put back {}, clear {}, leave {leave}", self.put_back, self.clear)?;
        self.leave.iter().try_for_each(|(reason, users)| write!(f, "\n  left {users}: {reason}"))
    }
}

/// A step in the words of a dry run.
struct Would<'a>(&'a UndoStep);

impl fmt::Display for Would<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            UndoStep::PutBack(value) => write!(f, "would put back {value}"),
            UndoStep::Clear(value) => write!(f, "would clear {value}"),
            UndoStep::Leave(reason) => f.write_str(reason),
        }
    }
}
