//! The operators' commands. They print text for people; none writes to a target.

mod append;
pub mod audit;
pub mod check;
pub mod doctor;
pub mod export;
pub mod forget;
pub mod history;
pub mod poison;
pub mod probe;
pub mod restore;
pub mod status;
pub mod support_bundle;
pub mod sweep;
mod sweep_display;
pub mod trace;
