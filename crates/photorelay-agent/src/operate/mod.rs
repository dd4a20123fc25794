//! What operators ask of the agent: whether it is healthy, what differs.

pub mod doctor;
pub mod drift;
mod feed;
pub mod people;
pub mod preview;
pub mod report;
pub mod undo;
