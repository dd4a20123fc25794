//! The photo pipeline on real photographs: refusals, renditions, colours, and which pictures count as the same.

mod cases;
mod colours;
mod echoes;
mod mutations;
mod oracle;
mod refusals;
mod renditions;
mod sources;
