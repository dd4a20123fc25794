//! Who was synchronised when the last sweep listed the users: a user who has left is not written any more.
//!
//! The list is read at most every ten minutes, and its members only if they have changed: 16 bytes of memory for each.
//! Where it cannot be read, because the agent has no right to it or no sweep has run, no user is known to have left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use photorelay_core::contract::Population;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::population;
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::store::{BlobStore, StoreError};
use tokio::sync::Mutex;

const GOOD_FOR: Duration = Duration::from_secs(600);

#[derive(Debug, Clone)]
pub(super) struct PopulationReader {
    blobs: ScopedBlobs,
    known: Arc<Mutex<Option<KnownPopulation>>>,
}

#[derive(Debug)]
struct KnownPopulation {
    read_at: Instant,
    /// None if there is no list, or no right to it.
    list: Option<Arc<ListedUsers>>,
}

#[derive(Debug)]
struct ListedUsers {
    /// Without its members.
    population: Population,
    members: Arc<Vec<UserId>>,
}

impl ListedUsers {
    fn names(&self, user: UserId) -> bool {
        self.members.binary_search(&user).is_ok()
    }
}

impl PopulationReader {
    pub(super) fn new(blobs: &Arc<dyn BlobStore>) -> Self {
        const GRANTS: &[Grant] = &[
            Grant::read(Container::State, names::POPULATION),
            Grant::read(Container::State, names::POPULATION_SEGMENTS_PREFIX),
        ];
        Self { blobs: ScopedBlobs::new(blobs, GRANTS), known: Arc::default() }
    }

    /// Whether the list was made after the user was last seen and does not name the user.
    pub(super) async fn has_left(&self, user: UserId, last_seen: Timestamp) -> Result<bool, StoreError> {
        let Some(list) = self.list().await? else { return Ok(false) };
        Ok(list.population.taken_at > last_seen && !list.names(user))
    }

    /// When the list was made, if it names the user.
    pub(super) async fn listed_at(&self, user: UserId) -> Result<Option<Timestamp>, StoreError> {
        let list = self.list().await?.filter(|list| list.names(user));
        Ok(list.map(|list| list.population.taken_at))
    }

    async fn list(&self) -> Result<Option<Arc<ListedUsers>>, StoreError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.read_at.elapsed() < GOOD_FOR) {
            return Ok(known.list.clone());
        }
        let before = known.as_ref().and_then(|known| known.list.as_deref());
        let list = match self.read(before).await {
            Ok(list) => list.map(Arc::new),
            Err(StoreError::Denied { .. }) => {
                tracing::info!("the agent may not read `state`: users who left the synchronisation are not known");
                None
            }
            Err(error) => return Err(error),
        };
        *known = Some(KnownPopulation { read_at: Instant::now(), list: list.clone() });
        Ok(list)
    }

    async fn read(&self, before: Option<&ListedUsers>) -> Result<Option<ListedUsers>, StoreError> {
        let Some(mut population) = population::read(&self.blobs).await? else { return Ok(None) };
        let is_same = |before: &&ListedUsers| {
            !population.segments.is_empty() && before.population.segments == population.segments
        };
        let members = match before.filter(is_same) {
            Some(before) => Arc::clone(&before.members),
            None => match population::members(&self.blobs, population.list()).await? {
                Some(members) => Arc::new(members),
                None => return Ok(None),
            },
        };
        population.members = Vec::new();
        Ok(Some(ListedUsers { population, members }))
    }
}
