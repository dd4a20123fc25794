//! Counts what the agent does in a day, for charts; the heartbeat saves the counts.
//!
//! It continues the day's document when the process starts. It must never fail a write-back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use photorelay_core::audit::Committed;
use photorelay_core::contract::{Outcome, Receipt, WritebackFigures};
use photorelay_core::documents;
use photorelay_core::figures::day_of;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, StoreError};

use photorelay_core::rights::{Grant, ScopedBlobs};

/// The figures of one agent of one target.
#[derive(Debug)]
pub(crate) struct FiguresRecorder {
    blobs: ScopedBlobs,
    /// What was counted since it was saved last.
    unsaved: Mutex<WritebackFigures>,
}

impl FiguresRecorder {
    pub(crate) fn new(blobs: &Arc<dyn BlobStore>, target: &str, agent: &str) -> Self {
        const GRANTS: &[Grant] = &[Grant::write(Container::Agents, names::FIGURES_PREFIX)];
        let now = Timestamp::now();
        let unsaved = Mutex::new(WritebackFigures::of(target, agent, day_of(now), now));
        Self { blobs: ScopedBlobs::new(blobs, GRANTS), unsaved }
    }

    /// A receipt that says something new. `is_first` if the target had not shown the entry before.
    pub(crate) fn received(&self, receipt: &Receipt, newest: &Committed, is_first: bool) {
        let mut unsaved = self.unsaved();
        match receipt.outcome {
            Outcome::Written => unsaved.written += 1,
            Outcome::Unchanged => unsaved.unchanged += 1,
            Outcome::Refused => unsaved.refused += 1,
            Outcome::Superseded => {}
        }
        // An entry that a full reconciliation came upon has waited for it, not for its way.
        if receipt.outcome == Outcome::Written && is_first && receipt.announced_at.is_some() {
            let began = newest.entry.cause.at.unwrap_or(newest.entry.observed_at);
            unsaved.latency.count(receipt.at.duration_since(began));
        }
    }

    pub(crate) fn noted(&self) {
        self.unsaved().noted += 1;
    }

    /// Adds what was counted to the day's document. What cannot be saved is kept for the next time.
    pub(crate) async fn save(&self) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let counted = {
            let mut unsaved = self.unsaved();
            let empty = WritebackFigures::of(&unsaved.target, &unsaved.agent, day_of(now), now);
            std::mem::replace(&mut *unsaved, empty)
        };
        if counted == WritebackFigures::of(&counted.target, &counted.agent, counted.day, counted.at) {
            return Ok(());
        }
        let name = names::writeback_figures(counted.day, &counted.target, &counted.agent);
        let saved = async {
            let mut total = counted.clone();
            if let Some(known) = documents::read::<WritebackFigures>(&self.blobs, Container::Agents, &name).await? {
                add(&mut total, &known);
            }
            total.at = now;
            documents::replace(&self.blobs, Container::Agents, &name, &total).await
        };
        let saved = saved.await;
        if saved.is_err() {
            let mut unsaved = self.unsaved();
            if unsaved.day == counted.day {
                add(&mut unsaved, &counted);
            }
        }
        saved
    }

    fn unsaved(&self) -> MutexGuard<'_, WritebackFigures> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(total: &mut WritebackFigures, more: &WritebackFigures) {
    total.written = total.written.saturating_add(more.written);
    total.unchanged = total.unchanged.saturating_add(more.unchanged);
    total.refused = total.refused.saturating_add(more.refused);
    total.noted = total.noted.saturating_add(more.noted);
    total.latency.merge(&more.latency);
}
