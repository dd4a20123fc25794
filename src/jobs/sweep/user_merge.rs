//! The population and all users that the storage knows, merged in the order of ids.

use photorelay_core::id::UserId;
use photorelay_core::store::StoreError;

use crate::jobs::state_listing::{StateListing, UserRecord};

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
}

impl<'a> UserMerge<'a> {
    pub(super) fn after(after: Option<UserId>, members: &'a [UserId], state: StateListing<'a>) -> Self {
        let start = members.partition_point(|member| Some(*member) <= after);
        Self { members: members[start..].iter().peekable(), state, after }
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
        let record = if recorded == Some(user) { self.state.take(user).await? } else { UserRecord::default() };
        Ok(Some(SweptUser { user, is_member, record }))
    }

    pub(super) async fn is_at_end(&mut self) -> Result<bool, StoreError> {
        self.skip_done().await?;
        Ok(self.members.peek().is_none() && self.state.peek().await?.is_none())
    }

    async fn skip_done(&mut self) -> Result<(), StoreError> {
        while let Some(done) = self.state.peek().await?.filter(|user| Some(*user) <= self.after) {
            self.state.take(done).await?;
        }
        Ok(())
    }
}
