//! The photo pipeline on real photographs: what is refused, what comes out, and what counts as the same picture.

mod colours;
mod echoes;
mod mutations;
mod refusals;
mod renditions;
mod sources;
