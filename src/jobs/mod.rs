//! What photorelay does, step by step. Knows neither HTTP nor Azure.

pub mod announce;
pub mod forgotten;
pub mod lifecycle;
pub mod notification_activity;
pub mod notify;
pub mod propagate;
pub mod scope;
pub mod subscribe;
pub mod sweep;
pub mod watch;
