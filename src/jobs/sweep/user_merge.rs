//! The population and all users that the storage knows, merged in the order of ids. Whatever part of them a run compares,
//! it lists all of them once, counts them for the watchdog, and drafts the checkpoint of the day if one is due.
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
    /// The users after this one; the others are listed all the same.
    pub(super) async fn begin(
        blobs: &'a dyn BlobStore,
        targets: &'a Targets,
        members: &'a [UserId],
        after: Option<UserId>,
        now: Timestamp,
    ) -> Self {
        let start = members.partition_point(|member| Some(*member) <= after);
        let draft = CheckpointDraft::begin(blobs, now).await.unwrap_or_else(no_draft);
        let state = StateListing::open(blobs);
        let state = if draft.is_some() { state.with_digests() } else { state };
        let members = members[start..].iter().peekable();
        Self { members, state, after, targets, tally: UserTally::default(), draft }
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
        self.skip_done().await?;
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
        self.skip_done().await?;
        Ok(self.members.peek().is_none() && self.state.peek().await?.is_none())
    }

    async fn skip_done(&mut self) -> Result<(), StoreError> {
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

    /// All users that the storage knows, those that the run did not come to included.
    /// A checkpoint is only taken after a complete sweep.
    pub(super) async fn end(mut self, is_complete: bool) -> Result<ListedUsers, StoreError> {
        self.draft = self.draft.filter(|_| is_complete);
        while let Some(user) = self.state.peek().await? {
            self.take_record(user).await?;
        }
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
