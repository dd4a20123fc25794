//! The part of xtask that tests use too: what infra/ says, and the API versions in it.

pub mod api_versions;
pub mod bicep;
