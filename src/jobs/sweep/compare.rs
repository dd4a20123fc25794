//! Compares users with what the storage holds about them, and acts on what follows: a check, or an announcement.
//!
//! It never repairs a trail: one that cannot be read is reported, and the other users are compared all the same.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use photorelay_core::audit::{self, AuditError, Committed};
use photorelay_core::contract::FetchPolicy;
use photorelay_core::id::UserId;
use photorelay_core::storage::Storage;

use super::announcing;
use super::checks::PendingChecks;
use super::decide::{self, CheckReason, Need};
use super::error::SweepError;
use super::observation::Observation;
use super::report::SweepReport;
use super::settings::SweepSettings;
use super::user_merge::SweptUser;
use super::window::Window;
use crate::graph::READ_PHOTO_METADATA;
use crate::jobs::state_listing::UserRecord;
use crate::jobs::unreadable::{self, UnreadableSummary};

/// Users whose blobs are read concurrently.
const READS_AT_ONCE: usize = 8;

#[derive(Clone, Copy)]
pub(super) struct Comparison<'a> {
    pub(super) storage: &'a Storage,
    pub(super) settings: &'a SweepSettings,
    pub(super) window: Window,
    /// The users for whom Graph has failed.
    pub(super) unreadable: &'a BTreeMap<UserId, UnreadableSummary>,
    /// The users whose refused photo may be tried again.
    pub(super) tried_again: &'a BTreeSet<UserId>,
}

/// What came of comparing one user.
#[derive(Default)]
struct Compared {
    check: Option<(CheckReason, FetchPolicy)>,
    is_announced: bool,
}

/// What a failure of an earlier check means for the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterFailure {
    /// There was none, or it is over.
    Usual,
    /// Graph has just failed again, or may fail again.
    Alone,
    /// A check waits already, or is not due.
    Waits,
}

impl Comparison<'_> {
    /// Whether nothing is stored about the user, neither that Graph has failed for them.
    pub(super) fn knows_nothing_of(&self, user: &SweptUser) -> bool {
        user.record == UserRecord::default() && !self.unreadable.contains_key(&user.user)
    }

    /// The observation is none for users that are not in the population.
    pub(super) async fn compare_all(
        self,
        users: impl Iterator<Item = (SweptUser, Option<Observation>)>,
        checks: &mut PendingChecks,
        report: &mut SweepReport,
    ) -> Result<(), SweepError> {
        let unsettled = users.filter(|(user, observation)| !self.is_settled(user, observation.as_ref()));
        let mut compared = stream::iter(unsettled)
            .map(|(user, observation)| async move {
                let compared = Box::pin(self.compare(&user, observation.as_ref())).await?;
                let after = self.after_failure(user.user, observation.as_ref(), compared.check).await?;
                Ok::<_, SweepError>((user.user, compared, after))
            })
            .buffer_unordered(READS_AT_ONCE);
        while let Some((user, compared, after)) = compared.try_next().await? {
            report.announced_again += usize::from(compared.is_announced);
            let Some((reason, policy)) = compared.check else { continue };
            match after {
                AfterFailure::Waits => {
                    report.waiting += 1;
                    continue;
                }
                AfterFailure::Alone => checks.add_alone(user, policy),
                AfterFailure::Usual => checks.add(user, policy),
            }
            report.count(reason);
            report.checks += 1;
        }
        Ok(())
    }

    /// Whether nothing follows from comparing this user, as for nearly all; found out without reading anything.
    fn is_settled(self, user: &SweptUser, observation: Option<&Observation>) -> bool {
        self.need(user, observation) == Need::Nothing
            && user.record.is_acknowledged(&self.settings.targets)
            && !self.unreadable.contains_key(&user.user)
    }

    fn need(self, user: &SweptUser, observation: Option<&Observation>) -> Need {
        let bytes_due =
            self.window.has_bytes_due(user.user, self.settings.bytes_every) || self.tried_again.contains(&user.user);
        decide::need(&user.record, observation, bytes_due)
    }

    /// How the check is sent, if one is needed. Forgets the failure of a user who can be read and needs none.
    async fn after_failure(
        self,
        user: UserId,
        observation: Option<&Observation>,
        check: Option<(CheckReason, FetchPolicy)>,
    ) -> Result<AfterFailure, SweepError> {
        let is_unreadable = observation == Some(&Observation::Unreadable);
        let Some(known) = self.unreadable.get(&user) else {
            return Ok(if is_unreadable { AfterFailure::Alone } else { AfterFailure::Usual });
        };
        if check.is_none() && !is_unreadable {
            unreadable::delete(&*self.storage.blobs, user).await?;
            return Ok(AfterFailure::Usual);
        }
        let is_read_again = !is_unreadable && known.operation == READ_PHOTO_METADATA;
        Ok(if is_read_again || known.is_due(self.window.now) { AfterFailure::Alone } else { AfterFailure::Waits })
    }

    async fn compare(self, user: &SweptUser, observation: Option<&Observation>) -> Result<Compared, SweepError> {
        let record = &user.record;
        let need = self.need(user, observation);
        if need != Need::PhotoIfExpected && record.is_acknowledged(&self.settings.targets) {
            return Ok(Compared { check: need.check(), is_announced: false });
        }
        let newest = match self.newest(user.user, record.trail).await {
            Ok(newest) => newest,
            Err(AuditError::Store(error)) => return Err(error.into()),
            Err(error) => {
                tracing::error!(user.id = %user.user, %error, "the trail is damaged: run `photorelay audit verify`");
                return Ok(Compared { check: need.check(), is_announced: false });
            }
        };
        let expects_photo = newest.as_ref().is_some_and(|newest| newest.entry.expects_photo());
        let check = match need {
            Need::PhotoIfExpected if expects_photo => Some((CheckReason::Missing, FetchPolicy::IfChanged)),
            need => need.check(),
        };
        let is_announced = match newest {
            Some(newest) => {
                announcing::announce_again(self.storage, self.settings, record, &newest, self.window).await?
            }
            None => false,
        };
        Ok(Compared { check, is_announced })
    }

    /// What targets should show.
    async fn newest(self, user: UserId, trail: u32) -> Result<Option<Committed>, AuditError> {
        let all: Vec<u32> = (1..=trail).collect();
        audit::newest_not_refused(&*self.storage.blobs, user, &all).await
    }
}
