//! The edge to whoever calls us: the Functions host, Microsoft Graph's webhook, or the standalone pump.
//!
//! Everything that speaks HTTP lives here; the steps know nothing of it.

pub mod envelope;
mod events;
pub mod manifest;
pub mod pump;
pub mod router;
mod webhook;
