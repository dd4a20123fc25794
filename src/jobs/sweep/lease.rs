//! The lease: two sweeps at once would ask Graph everything twice, and send every check twice.
//!
//! It only saves requests; nothing is wrong if two run all the same, so it may rest on clocks. It stays because a second
//! sweep costs as much as the first (`cargo xtask bench sweep`: 5,002 requests and 17 s of processor time for 100,000
//! users), out of one quota that Graph grants the app, and because the double work would not end by itself: a
//! continuation message that is delivered twice would start a second chain of runs, which goes on beside the first until
//! both have compared every user. Leases are numbered blobs, and creating the next number, once the last one has run
//! out, is what takes it: no store needs more than create-once. The lease of a holder that dies runs out.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{SweepLease, V1};
use photorelay_core::documents::{self, Document};
use photorelay_core::names::{self, Container, SWEEP_LEASES_PREFIX};
use photorelay_core::store::{BlobStore, Creation, Pager, StoreError};

use super::error::SweepError;

/// A lease that runs longer was written by a process whose clock is wrong.
const LONGEST: Duration = Duration::from_secs(15 * 60);

pub(super) struct Lease<'a> {
    blobs: &'a dyn BlobStore,
    number: u64,
    length: Duration,
}

impl<'a> Lease<'a> {
    /// Takes the lease; `UnderWay` if another sweep holds it.
    pub(super) async fn take(blobs: &'a dyn BlobStore, length: Duration) -> Result<Self, SweepError> {
        let now = Timestamp::now();
        let numbers = numbers(blobs).await?;
        let newest = numbers.last().copied().unwrap_or_default();
        if let Some(until) = read(blobs, newest).await?.filter(|until| is_held(*until, now)) {
            return Err(SweepError::UnderWay { until });
        }
        let lease = Self { blobs, number: newest + 1, length: length.min(LONGEST) };
        let until = lease.end();
        let name = names::sweep_lease(lease.number);
        let creation = documents::create(blobs, Container::State, &name, &SweepLease { v: V1, until }).await?;
        // Between the read and the creation, others may have taken, released and deleted newer leases.
        if creation == Creation::AlreadyExists || lease.is_superseded().await? {
            return Err(SweepError::UnderWay { until });
        }
        for old in numbers {
            blobs.delete(Container::State, &names::sweep_lease(old)).await?;
        }
        Ok(lease)
    }

    /// Renews the lease for as long as it is polled; ends when another sweep has it.
    pub(super) async fn keep(&self) -> SweepError {
        loop {
            tokio::time::sleep(self.length / 3).await;
            match self.renew().await {
                Ok(true) => {}
                Ok(false) => return SweepError::TakenOver,
                Err(error) => tracing::warn!(%error, "the lease of the sweep could not be renewed"),
            }
        }
    }

    /// Lets the next sweep begin at once. The blob stays, so that numbers only grow.
    pub(super) async fn release(self) {
        if let Err(error) = self.put(Timestamp::now()).await {
            tracing::warn!(%error, "the lease of the sweep could not be released and runs out by itself");
        }
    }

    async fn renew(&self) -> Result<bool, StoreError> {
        if self.is_superseded().await? {
            return Ok(false);
        }
        self.put(self.end()).await?;
        Ok(true)
    }

    async fn is_superseded(&self) -> Result<bool, StoreError> {
        Ok(numbers(self.blobs).await?.last().is_some_and(|newest| *newest > self.number))
    }

    async fn put(&self, until: Timestamp) -> Result<(), StoreError> {
        let name = names::sweep_lease(self.number);
        documents::replace(self.blobs, Container::State, &name, &SweepLease { v: V1, until }).await
    }

    fn end(&self) -> Timestamp {
        Timestamp::now() + self.length
    }
}

fn is_held(until: Timestamp, now: Timestamp) -> bool {
    let left = until.duration_since(now);
    left > SignedDuration::ZERO && left <= SignedDuration::try_from(LONGEST).unwrap_or(SignedDuration::MAX)
}

async fn numbers(blobs: &dyn BlobStore) -> Result<Vec<u64>, StoreError> {
    Pager::new(blobs, Container::State, SWEEP_LEASES_PREFIX, |blob| names::parse_sweep_lease(&blob.name))
        .collect()
        .await
}

/// When it ends; none if it does not exist, or is unreadable.
async fn read(blobs: &dyn BlobStore, number: u64) -> Result<Option<Timestamp>, StoreError> {
    let lease = documents::inspect::<SweepLease>(blobs, Container::State, &names::sweep_lease(number)).await?;
    Ok(match lease {
        Document::Valid(lease) => Some(lease.until),
        Document::Absent | Document::Unreadable(_) => None,
    })
}
