//! What operators ask of the agent: what is held and what becomes of it.

pub mod held;
