//! The on-premises agent: outbound connections only, brings targets up to the audit trail and proves it with receipts.
//!
//! [`writeback`] is one person's way to a target; [`queue`] feeds it from the target's queue; [`target`] are the places
//! that show photos. Nothing here may write to the trail or to the photos.

pub mod certificate;
pub mod config;
pub mod connectors;
mod documents;
pub mod full_reconciliation;
mod health;
pub mod operate;
mod people;
pub mod policy;
pub mod queue;
pub mod quota;
pub mod writeback;
