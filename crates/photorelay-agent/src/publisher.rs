//! Publishes a feed at intervals while the agent runs, and records what was published, so that a feed that was lost or
//! restored from a backup is recognised. It decides nothing: the feed itself says whether it may be published.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::contract::{PublishedFeed, ReconciliationCursor, V1};
use photorelay_core::documents;
use photorelay_core::names::{self, Container};
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::connectors::mim::{FeedError, FeedStore, Publication, PublishOptions};

#[derive(Debug, Clone)]
pub struct FeedPublisher {
    store: Arc<FeedStore>,
    blobs: ScopedBlobs,
    target: String,
    every: Duration,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("the feed was not published: {0}")]
    Feed(#[from] FeedError),
    #[error("what was published last cannot be read or recorded: {0}")]
    Storage(#[from] StoreError),
    #[error("the feed was not published: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

impl FeedPublisher {
    pub fn new(storage: &Storage, store: Arc<FeedStore>, target: &str, every: Duration) -> Self {
        const GRANTS: &[Grant] =
            &[Grant::write(Container::Agents, names::FEEDS_PREFIX), Grant::read(Container::Agents, "passes/")];
        Self { store, blobs: ScopedBlobs::new(&storage.blobs, GRANTS), target: target.to_owned(), every }
    }

    /// Publishes at intervals until stopped, and once more then.
    pub(crate) async fn run(&self, stop: &CancellationToken, report: impl Fn(Option<&str>)) {
        loop {
            let stopping = stop.is_cancelled();
            self.publish_and_report(&report).await;
            if stopping {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(self.every) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    pub(crate) async fn publish_and_report(&self, report: impl Fn(Option<&str>)) {
        match self.publish(false).await {
            Ok(Publication::Withheld { reason }) => {
                tracing::error!(reason, "the feed is not published");
                report(Some(&reason));
            }
            Ok(Publication::Published { head, photos }) => {
                tracing::info!(sequence = head.sequence, people = head.people, photos, "the feed is published");
                report(None);
            }
            Ok(Publication::Filling) => {
                tracing::info!("the feed is not published yet: the first full reconciliation is under way");
                report(None);
            }
            Ok(Publication::Unchanged) => report(None),
            Err(error) => {
                tracing::error!(%error, "changes of the feed wait");
                report(Some(&error.to_string()));
            }
        }
    }

    /// Publishes what has changed.
    pub async fn publish(&self, allow_shrink: bool) -> Result<Publication, PublishError> {
        let name = names::published_feed(&self.target);
        let known: Option<PublishedFeed> = documents::read(&self.blobs, Container::Agents, &name).await?;
        let cursor = names::reconciliation_cursor(&self.target);
        let cursor: Option<ReconciliationCursor> = documents::read(&self.blobs, Container::Agents, &cursor).await?;
        let (store, at) = (Arc::clone(&self.store), Timestamp::now());
        let publication = tokio::task::spawn_blocking(move || {
            let began = store.epoch_began()?;
            let is_filled = cursor.is_some_and(|last| last.finished_at.is_some() && last.began_at >= began);
            store.publish(PublishOptions { now: at.as_second(), known: known.as_ref(), is_filled, allow_shrink })
        });
        let publication = publication.await??;
        if let Publication::Published { head, photos } = &publication {
            let (target, photos) = (self.target.clone(), *photos);
            let (epoch, sequence, people) = (head.epoch.0, head.sequence, head.people);
            let published = PublishedFeed { v: V1, target, epoch, sequence, people, photos, at };
            documents::replace(&self.blobs, Container::Agents, &name, &published).await?;
        }
        Ok(publication)
    }
}
