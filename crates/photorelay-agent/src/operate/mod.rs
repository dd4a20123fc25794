//! What operators ask of the agent: how it is, who differs, what is held and what becomes of it, and that it stops.

pub mod approvals;
pub mod doctor;
pub mod drift;
pub mod switch;
