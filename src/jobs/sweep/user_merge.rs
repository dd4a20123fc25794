//! The population and all users that the storage knows, merged in the order of ids. A run that comes to the end has listed
//! all of them once and counted them for the watchdog; one that began at the first user has also drafted the checkpoint of
//! the day, if one is due.
//!
//! A draft that fails is given up: it must never fail the sweep.

use jiff::Timestamp;
use photorelay_core::audit::{CheckpointDraft, PreparedCheckpoint};
use photorelay_core::id::UserId;
use photorelay_core::store::{BlobStore, StoreError};
use photorelay_core::target::Targets;

use crate::jobs::state_listing::{StateListing, UserRecord};
use crate::jobs::user_tally::UserTally;

/// A user to compare.
pub(super) struct SweptUser {
    pub(super) user: UserId,
    /// In the population: the ETag is read. Other users are only known from the storage.
    pub(super) is_member: bool,
    pub(super) record: UserRecord,
}

pub(super) struct UserMerge<'a> {
    members: std::iter::Peekable<std::slice::Iter<'a, UserId>>,
    state: StateListing<'a>,
    after: Option<UserId>,
    targets: &'a Targets,
    tally: UserTally,
    draft: Option<CheckpointDraft<'a>>,
}

/// What a run's listing showed of all users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::jobs) struct ListedUsers {
    pub(in crate::jobs) tally: UserTally,
    /// None if no checkpoint is due, or it could not be drafted.
    pub(in crate::jobs) checkpoint: Option<PreparedCheckpoint>,
}

impl<'a> UserMerge<'a> {
    /// The users after this one; the others are listed first all the same.
    pub(super) async fn begin(
        blobs: &'a dyn BlobStore,
        targets: &'a Targets,
        members: &'a [UserId],
        after: Option<UserId>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let start = members.partition_point(|member| Some(*member) <= after);
        // One that goes on has not much time, and users before it may have changed since.
        let draft = match after {
            None => CheckpointDraft::begin(blobs, now).await.unwrap_or_else(no_draft),
            Some(_) => None,
        };
        let state = StateListing::open(blobs);
        let state = if draft.is_some() { state.with_digests() } else { state };
        let members = members[start..].iter().peekable();
        let mut users = Self { members, state, after, targets, tally: UserTally::default(), draft };
        users.pass_done().await?;
        Ok(users)
    }

    pub(super) async fn take(&mut self, most: usize) -> Result<Vec<SweptUser>, StoreError> {
        let mut users = Vec::new();
        while users.len() < most {
            let Some(user) = self.next().await? else { break };
            users.push(user);
        }
        Ok(users)
    }

    async fn next(&mut self) -> Result<Option<SweptUser>, StoreError> {
        let member = self.members.peek().map(|member| **member);
        let recorded = self.state.peek().await?;
        let Some(user) = member.into_iter().chain(recorded).min() else { return Ok(None) };
        let is_member = member == Some(user);
        if is_member {
            self.members.next();
        }
        let record = if recorded == Some(user) { self.take_record(user).await? } else { UserRecord::default() };
        Ok(Some(SweptUser { user, is_member, record }))
    }

    pub(super) async fn is_at_end(&mut self) -> Result<bool, StoreError> {
        Ok(self.members.peek().is_none() && self.state.peek().await?.is_none())
    }

    async fn pass_done(&mut self) -> Result<(), StoreError> {
        while let Some(done) = self.state.peek().await?.filter(|user| Some(*user) <= self.after) {
            self.take_record(done).await?;
        }
        Ok(())
    }

    async fn take_record(&mut self, user: UserId) -> Result<UserRecord, StoreError> {
        let record = self.state.take(user).await?;
        self.tally.add(self.targets, user, &record);
        if let Some(draft) = &mut self.draft
            && let Err(error) = draft.add(record.end_of(user)).await
        {
            self.draft = no_draft(error);
        }
        Ok(record)
    }

    /// What was listed of all users, after the last one.
    pub(super) async fn end(self) -> Result<ListedUsers, StoreError> {
        let checkpoint = match self.draft {
            Some(draft) => draft.end().await.map_or_else(no_draft, Some),
            None => None,
        };
        Ok(ListedUsers { tally: self.tally, checkpoint })
    }
}

fn no_draft<T>(error: StoreError) -> Option<T> {
    tracing::debug!(%error, "the checkpoint is not drafted; the watchdog takes it after the sweep");
    None
}
