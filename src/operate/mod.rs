//! What operators ask for on the command line. Prints to stdout for people; never writes to a target.

mod append;
pub mod audit;
pub mod check;
pub mod doctor;
pub mod export;
pub mod forget;
pub mod history;
pub mod probe;
pub mod restore;
pub mod status;
pub mod sweep;
mod sweep_display;
