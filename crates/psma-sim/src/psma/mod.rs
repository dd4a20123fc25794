//! The management agent: how it calls the four scripts and what it makes of their answers.

pub(crate) mod agent;
mod entries;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod versions;
