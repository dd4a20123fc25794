//! How users are reconciled: what the composition root decides once for every message.

use std::time::Duration;

use photorelay_core::id::TenantId;
use photorelay_core::photo::{PhotoLimits, RenditionSpec};
use photorelay_core::target::Targets;

use crate::jobs::scope::Scope;

#[derive(Debug, Clone)]
pub struct PropagateSettings {
    pub tenant: TenantId,
    pub targets: Targets,
    pub scope: Scope,
    pub renditions: Vec<RenditionSpec>,
    pub limits: PhotoLimits,
    /// How long a photo must be gone, and an ETag unchanged, before it is believed.
    pub hold: Duration,
    /// Captures per user within 24 hours; more than that is a loop or a game.
    pub captures_per_day: u32,
    /// Photos that are held in memory at once, in the whole process: fetched, and not announced yet.
    pub photos_at_once: usize,
    /// Photos that are decoded at once, in the whole process: each may take [`PhotoLimits::max_memory`].
    pub decodings_at_once: usize,
    /// How often failed users are retried before their message is dead-lettered. The sweep finds them again.
    pub max_attempts: u32,
}
