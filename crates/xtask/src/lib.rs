//! The part of xtask that tests use too: reading the Bicep files of infra/.

pub mod bicep;
