//! The edge to the callers: the Functions host, Microsoft Graph's webhook, and the standalone pump.
//!
//! Everything that speaks HTTP lives here; the jobs know nothing of it.

mod detached;
pub mod envelope;
mod events;
mod functions;
pub mod manifest;
pub mod pump;
pub mod readiness;
pub mod router;
mod triggers;
mod webhook;
