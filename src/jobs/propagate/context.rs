//! What every step of a reconciliation works with, and the journal that it writes to.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::contract::CheckMessage;
use photorelay_core::id::UserId;
use photorelay_core::queue::QueueStore;
use photorelay_core::storage::Storage;
use photorelay_core::store::BlobStore;
use photorelay_core::trace::TraceContext;

use super::journal::Journal;
use super::photo_room::PhotoRoom;
use super::settings::PropagateSettings;
use super::shared_reads::Seat;
use super::user_batch::UserBatch;
use crate::graph::{Graph, PhotoState};

/// Where the user meets others of the message for shared reads.
pub(super) struct Seats {
    pub(super) photo: Seat<Bytes>,
    pub(super) state: Seat<PhotoState>,
}

impl Seats {
    pub(super) fn none() -> Self {
        Self { photo: Seat::none(), state: Seat::none() }
    }
}

/// One user to reconcile.
pub(super) struct Reconciliation<'a> {
    pub(super) graph: &'a Graph,
    pub(super) storage: &'a Storage,
    pub(super) settings: &'a Arc<PropagateSettings>,
    pub(super) message: &'a CheckMessage,
    pub(super) user: UserId,
    pub(super) batch: &'a UserBatch,
    pub(super) seats: Seats,
    pub(super) room: &'a PhotoRoom,
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
