//! What operators ask for on the command line. Prints to stdout for people; never writes to a target.

pub mod audit;
pub mod check;
pub mod export;
pub mod sweep;
mod sweep_display;
