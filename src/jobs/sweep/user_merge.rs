//! The population and all users that the storage knows, merged in the order of ids. Whatever part of them a run compares,
//! it lists all of them once, and counts them for the watchdog.

use photorelay_core::id::UserId;
use photorelay_core::store::StoreError;
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
}

impl<'a> UserMerge<'a> {
    pub(super) fn after(
        after: Option<UserId>,
        members: &'a [UserId],
        state: StateListing<'a>,
        targets: &'a Targets,
    ) -> Self {
        let start = members.partition_point(|member| Some(*member) <= after);
        Self { members: members[start..].iter().peekable(), state, after, targets, tally: UserTally::default() }
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
        Ok(record)
    }

    /// All users that the storage knows, those that the run did not come to included.
    pub(super) async fn into_tally(mut self) -> Result<UserTally, StoreError> {
        while let Some(user) = self.state.peek().await? {
            self.take_record(user).await?;
        }
        Ok(self.tally)
    }
}
