//! What operators ask of the agent: what is held and what becomes of it, and that it stops.

pub mod held;
pub mod switch;
