//! Who the people of a message are: asked for when the first of them has changed, for all of them in one `$batch`.

use photorelay_core::id::UserId;
use tokio::sync::OnceCell;

use crate::graph::{Graph, GraphError, Person, Priority};

/// The people of one message.
#[derive(Debug)]
pub(super) struct People {
    users: Vec<UserId>,
    priority: Priority,
    known: OnceCell<Vec<(UserId, Option<Person>)>>,
}

impl People {
    pub(super) fn of(users: &[UserId], priority: Priority) -> Self {
        Self { users: users.to_vec(), priority, known: OnceCell::new() }
    }

    /// The person, or none if there is no such user.
    pub(super) async fn get(&self, graph: &Graph, user: UserId) -> Result<Option<Person>, GraphError> {
        let known = self.known.get_or_try_init(|| async {
            let answers = graph.people(&self.users, self.priority).await?;
            Ok::<_, GraphError>(answers.into_iter().filter_map(|(user, person)| Some((user, person.ok()?))).collect())
        });
        if let Some((_, person)) = known.await?.iter().find(|(known, _)| *known == user) {
            return Ok(person.clone());
        }
        // Only this one was throttled or failed; asking alone says why.
        let answer = graph.people(&[user], self.priority).await?.pop();
        answer.map_or(Ok(None), |(_, person)| person)
    }
}
