//! What every step of a reconciliation works with, and the journal that it writes to.

use std::sync::Arc;

use jiff::Timestamp;
use photorelay_core::contract::CheckMessage;
use photorelay_core::id::UserId;
use photorelay_core::queue::QueueStore;
use photorelay_core::storage::Storage;
use photorelay_core::store::BlobStore;
use photorelay_core::trace::TraceContext;

use super::journal::Journal;
use super::settings::PropagateSettings;
use super::user_batch::UserBatch;
use crate::graph::Graph;

/// One user to reconcile.
pub(super) struct Reconciliation<'a> {
    pub(super) graph: &'a Graph,
    pub(super) storage: &'a Storage,
    pub(super) settings: &'a Arc<PropagateSettings>,
    pub(super) message: &'a CheckMessage,
    pub(super) user: UserId,
    pub(super) batch: &'a UserBatch,
    /// When the work on the message began.
    pub(super) begun_at: Timestamp,
    /// The message was delivered before: its worker failed or died, perhaps of the photo.
    pub(super) is_redelivered: bool,
    pub(super) trace: TraceContext,
    pub(super) journal: &'a mut Journal,
}

impl<'a> Reconciliation<'a> {
    pub(super) fn blobs(&self) -> &'a dyn BlobStore {
        &*self.storage.blobs
    }

    pub(super) fn queues(&self) -> &'a dyn QueueStore {
        &*self.storage.queues
    }
}
