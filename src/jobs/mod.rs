//! What photorelay does, one module per job. Knows neither HTTP nor Azure.

pub mod announce;
mod decode_markers;
pub mod forgotten;
pub mod lifecycle;
pub mod notification_activity;
pub mod notify;
pub mod propagate;
pub mod scope;
mod state_listing;
pub mod subscribe;
pub mod sweep;
mod unreadable;
mod user_tally;
pub mod watch;
