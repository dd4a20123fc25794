//! The on-premises agent: outbound connections only, brings targets up to the audit trail and proves it with receipts.
//!
//! [`writeback`] is one person's way to a target; [`queue`] feeds it from the target's queue; [`target`] are the places
//! that show photos. Nothing here may write to the trail or to the photos.

pub mod budget;
pub mod certificate;
pub mod config;
mod documents;
pub mod operate;
pub mod pass;
mod people;
pub mod policy;
mod pulse;
pub mod queue;
pub mod target;
pub mod writeback;
