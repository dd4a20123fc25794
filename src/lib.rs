//! photorelay, the function app: a changed photo becomes a stored, audited photo and a queued write-back message.
//!
//! `main` parses the command line, [`config`] reads the environment, [`app`] builds everything once.

pub mod app;
pub mod config;
pub mod console;
pub mod graph;
pub mod host;
pub mod jobs;
pub mod operate;
