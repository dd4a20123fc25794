//! Publishes a preview in the storage, for the console: pages first, then the totals that name them, so that a reader
//! sees a whole run or the one before.

use std::sync::Arc;

use jiff::Timestamp;
use photorelay_core::contract::{Preview, PreviewPage, PreviewRow, ROWS_PER_PREVIEW_PAGE, V1};
use photorelay_core::documents;
use photorelay_core::names::{self, Container};
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::store::{BlobStore, StoreError, list_all};

use super::PreviewTotals;
use crate::quota::QuotaLimits;

/// One run of the preview of one target.
#[derive(Debug)]
pub struct PreviewPublisher {
    blobs: ScopedBlobs,
    target: String,
    agent: String,
    run: Timestamp,
    rows: Vec<PreviewRow>,
    pages: u32,
}

impl PreviewPublisher {
    pub fn new(blobs: &Arc<dyn BlobStore>, target: &str, agent: &str) -> Self {
        const GRANTS: &[Grant] = &[Grant::write(Container::Agents, names::PREVIEWS_PREFIX)];
        Self {
            blobs: ScopedBlobs::new(blobs, GRANTS),
            target: target.to_owned(),
            agent: agent.to_owned(),
            run: Timestamp::now(),
            rows: Vec::new(),
            pages: 0,
        }
    }

    pub async fn add(&mut self, row: PreviewRow) -> Result<(), StoreError> {
        self.rows.push(row);
        match self.rows.len() < ROWS_PER_PREVIEW_PAGE {
            true => Ok(()),
            false => self.save_page().await,
        }
    }

    /// Publishes the run, and deletes the pages of earlier ones.
    pub async fn finish(mut self, totals: &PreviewTotals, limits: QuotaLimits) -> Result<(), StoreError> {
        if !self.rows.is_empty() {
            self.save_page().await?;
        }
        let preview = Preview {
            v: V1,
            target: self.target.clone(),
            agent: self.agent.clone(),
            run: self.run,
            finished_at: Timestamp::now(),
            people: totals.people,
            states: totals.states.clone(),
            left_out: totals.left_out.clone(),
            bytes: totals.bytes,
            minutes: totals.minutes(limits),
            pages: self.pages,
        };
        documents::replace(&self.blobs, Container::Agents, &names::preview(&self.target), &preview).await?;
        let own = names::preview_page(&self.target, self.run, 1);
        let own = own.rsplit_once('/').map_or("", |(folder, _)| folder);
        for blob in list_all(&self.blobs, Container::Agents, &names::preview_pages_prefix(&self.target)).await? {
            if !blob.name.starts_with(own) {
                self.blobs.delete(Container::Agents, &blob.name).await?;
            }
        }
        Ok(())
    }

    async fn save_page(&mut self) -> Result<(), StoreError> {
        self.pages += 1;
        let page = PreviewPage { v: V1, target: self.target.clone(), rows: std::mem::take(&mut self.rows) };
        let name = names::preview_page(&self.target, self.run, self.pages);
        documents::replace(&self.blobs, Container::Agents, &name, &page).await
    }
}
