//! What agents noted about a person and operators decided, in the words of `photorelay history`: by which operator and why.

use photorelay_core::history::{self, HistoryEvent};
use photorelay_core::id::UserId;
use photorelay_core::store::BlobStore;

use crate::console::render::{Moment, PageError};
use crate::operate::history::fact;

/// Lines on a page; `history` prints all of them.
const MAX_ACTS: usize = 60;

/// One line of the record.
#[derive(Debug)]
pub(super) struct ActView {
    pub(super) at: Option<Moment>,
    pub(super) seq: u32,
    pub(super) target: String,
    pub(super) what: String,
    pub(super) by: Option<String>,
    pub(super) reason: Option<String>,
}

/// Newest first.
pub(super) async fn read(blobs: &dyn BlobStore, user: UserId) -> Result<Vec<ActView>, PageError> {
    let acts = history::acts_of(blobs, user).await?;
    Ok(acts.into_iter().rev().take(MAX_ACTS).map(ActView::of).collect())
}

impl ActView {
    fn of(event: HistoryEvent) -> Self {
        let HistoryEvent { at, seq, target, by, reason, fact: what } = event;
        let target = target.unwrap_or_default();
        Self { at: at.map(Moment), seq, target, what: fact(&what), by, reason }
    }
}
