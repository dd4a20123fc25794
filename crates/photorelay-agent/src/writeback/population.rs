//! Who was synchronised when the last sweep listed the users: a user who has left is not written any more.
//!
//! The list is read at most every ten minutes. Where it cannot be read, because the agent has no right to it or no sweep
//! has run, no user is known to have left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use photorelay_core::contract::Population;
use photorelay_core::documents;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
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
    population: Option<Arc<Population>>,
}

impl PopulationReader {
    pub(super) fn new(blobs: &Arc<dyn BlobStore>) -> Self {
        const GRANTS: &[Grant] = &[Grant::read(Container::State, names::POPULATION)];
        Self { blobs: ScopedBlobs::new(blobs, GRANTS), known: Arc::default() }
    }

    /// Whether the list was made after the user was last seen and does not name the user.
    pub(super) async fn has_left(&self, user: UserId, last_seen: Timestamp) -> Result<bool, StoreError> {
        let Some(population) = self.population().await? else { return Ok(false) };
        Ok(population.taken_at > last_seen && population.members.binary_search(&user).is_err())
    }

    /// When the list was made, if it names the user.
    pub(super) async fn listed_at(&self, user: UserId) -> Result<Option<Timestamp>, StoreError> {
        let population = self.population().await?;
        let population = population.filter(|population| population.members.binary_search(&user).is_ok());
        Ok(population.map(|population| population.taken_at))
    }

    async fn population(&self) -> Result<Option<Arc<Population>>, StoreError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.read_at.elapsed() < GOOD_FOR) {
            return Ok(known.population.clone());
        }
        let population = match documents::read(&self.blobs, Container::State, names::POPULATION).await {
            Ok(population) => population.map(Arc::new),
            Err(StoreError::Denied { .. }) => {
                tracing::info!("the agent may not read `state`: users who left the synchronisation are not known");
                None
            }
            Err(error) => return Err(error),
        };
        *known = Some(KnownPopulation { read_at: Instant::now(), population: population.clone() });
        Ok(population)
    }
}
