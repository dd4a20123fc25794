//! What operators ask of the agent: whether it is healthy, what differs, what waits for a decision.

pub mod approvals;
pub mod doctor;
pub mod drift;
mod feed;
