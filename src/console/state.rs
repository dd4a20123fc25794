//! What all pages share: the storage, who acts, and what runs in the background.

use std::sync::Arc;

use photorelay_core::operator::{OperatorName, OperatorReason, OperatorSignature};
use photorelay_core::storage::Storage;
use photorelay_core::target::Targets;

use super::detached::DetachedWork;
use super::everything::DecidingEverything;
use super::naming::NameCache;
use super::picture_room::PictureRoom;
use super::session::SessionDoor;
use super::status_cache::StatusCache;
use super::verification::Verification;
use crate::graph::{Graph, GraphUnset};
use crate::jobs::watch::Watch;

/// What all pages share.
#[derive(Debug)]
pub(super) struct ConsoleState {
    pub(super) port: u16,
    pub(super) admission: SessionDoor,
    /// None: the console only reads.
    pub(super) operator: Option<OperatorName>,
    pub(super) storage: Storage,
    pub(super) targets: Targets,
    pub(super) watch: Watch,
    pub(super) status: StatusCache,
    pub(super) names: NameCache,
    pub(super) pictures: PictureRoom,
    pub(super) verification: Verification,
    pub(super) everything: DecidingEverything,
    /// What acts.
    pub(super) workshop: DetachedWork,
    pub(super) graph: Result<Arc<Graph>, GraphUnset>,
}

impl ConsoleState {
    /// What stands below an action; none if the console only reads. An `Err` says what is wrong with the reason.
    pub(super) fn signature(&self, reason: Option<&str>) -> Result<Option<OperatorSignature>, String> {
        let reason = reason.map(str::parse::<OperatorReason>).transpose()?;
        Ok(self.operator.clone().map(|by| OperatorSignature { by, reason }))
    }
}
