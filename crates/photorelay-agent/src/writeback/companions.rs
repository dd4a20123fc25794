//! Further renditions that a target shows beside the photo, such as other sizes in a folder. They follow the photo: what
//! may replace or remove it takes them along, and they are written first, so that the photo never says that all is done
//! before it is.
//!
//! A value that photorelay did not write is not replaced here unless the policy overwrites such values, and never removed.

use bytes::Bytes;
use photorelay_core::id::{Digest, UserId};

use super::error::WriteBackError;
use super::next_step::{CompanionChange, Observed};
use super::reconciler::Reconciler;
use super::trail::Desired;
use crate::connectors::{ConnectorError, EntryRef, Replacement};
use crate::policy::ForeignPolicy;

impl Reconciler {
    /// Those that do not show what the newest entry says; `Err` inside says why they never can.
    pub(super) async fn companions_due(
        &self,
        observed: Observed<'_>,
    ) -> Result<Result<Vec<CompanionChange>, String>, WriteBackError> {
        let mut due = Vec::new();
        for (rendition, entry) in self.connector.companions(observed.entry) {
            let present = self.connector.read(&entry).await?;
            let shows = present.as_deref().map(Digest::of);
            let wants = match observed.newest.desired {
                Desired::Photo => match observed.newest.rendition(&rendition) {
                    Ok(wants) => Some(wants.sha256),
                    Err(reason) => return Ok(Err(reason)),
                },
                Desired::NoPhoto | Desired::Forgotten => None,
            };
            if shows == wants {
                continue;
            }
            let is_foreign = match shows {
                Some(shows) => !self.is_ours(observed, shows).await?,
                None => false,
            };
            if is_foreign && wants.is_none() {
                continue;
            }
            if is_foreign && self.policy.foreign != ForeignPolicy::Overwrite {
                return Ok(Err(format!(
                    "the user's file of the rendition `{rendition}` is not of photorelay: move it away, or let it be \
                     replaced with PHOTORELAY_FOREIGN=overwrite"
                )));
            }
            let value = match wants {
                None => None,
                Some(_) => match self.trail.rendition(observed.newest, &rendition, self.connector.limit()).await? {
                    Ok(value) => Some(value),
                    Err(reason) => return Ok(Err(reason)),
                },
            };
            due.push(CompanionChange { entry, present, value, is_foreign });
        }
        Ok(Ok(due))
    }

    pub(super) async fn write_companions(
        &self,
        user: UserId,
        changes: &[CompanionChange],
    ) -> Result<Result<Replacement, ConnectorError>, WriteBackError> {
        for CompanionChange { entry, present, value, is_foreign } in changes {
            if let Some(present) = present.as_ref().filter(|_| *is_foreign) {
                self.writer.back_up(user, present).await?;
            }
            match self.replace(entry, present.as_ref(), value.as_ref()).await {
                Ok(Replacement::Done) => {}
                interrupted => return Ok(interrupted),
            }
        }
        Ok(Ok(Replacement::Done))
    }

    /// Removes what photorelay wrote beside a photo that makes way for an earlier one.
    pub(super) async fn clear_companions(&self, user: UserId, entry: &EntryRef) -> Result<(), WriteBackError> {
        for (_, companion) in self.connector.companions(entry) {
            let present: Option<Bytes> = self.connector.read(&companion).await?;
            if let Some(present) = present
                && self.trail.made_by(user, Digest::of(&present)).await?
            {
                // One that another writer has just replaced is that writer's.
                self.replace(&companion, Some(&present), None).await?;
            }
        }
        Ok(())
    }
}
