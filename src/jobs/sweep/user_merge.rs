//! The population and everybody who has a past, merged in the order of ids.

use photorelay_core::id::UserId;
use photorelay_core::store::StoreError;

use super::state_listing::{StateListing, UserRecord};

/// Somebody to compare.
pub(super) struct SweptUser {
    pub(super) user: UserId,
    /// Whether the ETag is read; the others only have a past.
    pub(super) is_member: bool,
    pub(super) record: UserRecord,
}

pub(super) struct UserMerge<'a> {
    members: std::iter::Peekable<std::slice::Iter<'a, UserId>>,
    ledger: StateListing<'a>,
    after: Option<UserId>,
}

impl<'a> UserMerge<'a> {
    pub(super) fn after(after: Option<UserId>, members: &'a [UserId], ledger: StateListing<'a>) -> Self {
        let start = members.partition_point(|member| Some(*member) <= after);
        Self { members: members[start..].iter().peekable(), ledger, after }
    }

    pub(super) async fn take(&mut self, most: usize) -> Result<Vec<SweptUser>, StoreError> {
        let mut people = Vec::new();
        while people.len() < most {
            let Some(person) = self.next().await? else { break };
            people.push(person);
        }
        Ok(people)
    }

    async fn next(&mut self) -> Result<Option<SweptUser>, StoreError> {
        self.skip_done().await?;
        let member = self.members.peek().map(|member| **member);
        let recorded = self.ledger.peek().await?;
        let Some(user) = member.into_iter().chain(recorded).min() else { return Ok(None) };
        let is_member = member == Some(user);
        if is_member {
            self.members.next();
        }
        let record = if recorded == Some(user) { self.ledger.take(user).await? } else { UserRecord::default() };
        Ok(Some(SweptUser { user, is_member, record }))
    }

    pub(super) async fn is_at_end(&mut self) -> Result<bool, StoreError> {
        self.skip_done().await?;
        Ok(self.members.peek().is_none() && self.ledger.peek().await?.is_none())
    }

    async fn skip_done(&mut self) -> Result<(), StoreError> {
        while let Some(done) = self.ledger.peek().await?.filter(|user| Some(*user) <= self.after) {
            self.ledger.take(done).await?;
        }
        Ok(())
    }
}
