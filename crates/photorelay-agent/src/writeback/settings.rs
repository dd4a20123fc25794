//! What the agent is and may do.

use jiff::Timestamp;
use photorelay_core::id::TenantId;

#[derive(Debug, Clone)]
pub struct WritebackSettings {
    pub tenant: TenantId,
    /// The target's name, as in receipts.
    pub target: String,
    /// This agent's name, as in receipts.
    pub agent: String,
    /// Report what would be written, and write to no target.
    pub dry_run: bool,
    /// For the heartbeat.
    pub certificate_expires_at: Option<Timestamp>,
}
