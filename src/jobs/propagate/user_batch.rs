//! The properties and group memberships of a message's users: requested when the first of them has changed, or is
//! expected to have, for all of them in one `$batch`.

use photorelay_core::id::{GroupId, UserId};
use tokio::sync::OnceCell;

use crate::graph::{Graph, GraphError, GraphUser, Priority};

/// The users of one message.
#[derive(Debug)]
pub(super) struct UserBatch {
    users: Vec<UserId>,
    priority: Priority,
    known: OnceCell<Vec<(UserId, Option<GraphUser>)>>,
    in_groups: OnceCell<Vec<(UserId, bool)>>,
}

impl UserBatch {
    pub(super) fn of(users: &[UserId], priority: Priority) -> Self {
        Self { users: users.to_vec(), priority, known: OnceCell::new(), in_groups: OnceCell::new() }
    }

    /// Requests the properties of all users now. If that fails, the first user who needs them requests them again.
    pub(super) async fn prefetch(&self, graph: &Graph) {
        if let Err(error) = self.known(graph).await {
            tracing::debug!(%error, "the users of a message could not be read ahead");
        }
    }

    async fn known(&self, graph: &Graph) -> Result<&Vec<(UserId, Option<GraphUser>)>, GraphError> {
        let request = || async {
            let answers = graph.users(&self.users, self.priority).await?;
            Ok(answers.into_iter().filter_map(|(user, found)| Some((user, found.ok()?))).collect())
        };
        self.known.get_or_try_init(request).await
    }

    /// The user, or none if there is no such user.
    pub(super) async fn get(&self, graph: &Graph, user: UserId) -> Result<Option<GraphUser>, GraphError> {
        if let Some((_, found)) = self.known(graph).await?.iter().find(|(known, _)| *known == user) {
            return Ok(found.clone());
        }
        // Only this one was throttled or failed; a request of its own says why.
        let answer = graph.users(&[user], self.priority).await?.pop();
        answer.map_or(Ok(None), |(_, found)| found)
    }

    /// Whether the user is in one of the groups.
    pub(super) async fn is_in_groups(
        &self,
        graph: &Graph,
        groups: &[GroupId],
        user: UserId,
    ) -> Result<bool, GraphError> {
        let known = self.in_groups.get_or_try_init(|| async {
            let answers = graph.are_in_groups(&self.users, groups, self.priority).await?;
            Ok::<_, GraphError>(answers.into_iter().filter_map(|(user, is_in)| Some((user, is_in.ok()?))).collect())
        });
        if let Some((_, is_in)) = known.await?.iter().find(|(known, _)| *known == user) {
            return Ok(*is_in);
        }
        let answer = graph.are_in_groups(&[user], groups, self.priority).await?.pop();
        answer.map_or(Ok(false), |(_, is_in)| is_in)
    }
}
