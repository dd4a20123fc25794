//! The on-premises agent: outbound connections only, brings targets up to the audit trail and proves it with receipts.
//! [`photo_server`] alone listens, in a process of its own.
//!
//! [`agent`] consumes the target's queue and has [`writeback`] bring up one user at a time; [`connectors`] are the targets
//! that show photos. Nothing here may write to the trail or to the photos.

pub mod agent;
pub mod certificate;
pub mod config;
pub mod connectors;
mod figures;
pub mod forward;
pub mod full_reconciliation;
mod handler;
mod health;
mod keytab;
pub mod operate;
pub mod photo_server;
pub mod policy;
pub mod publisher;
pub mod quota;
mod receiving;
mod report;
pub mod stop_switch;
pub mod writeback;
