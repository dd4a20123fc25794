//! The management agent's scripts in `infra/mim/`, run by the stand-in, and the stand-in's own rules.

mod bad_feeds;
mod bad_photos;
mod feed;
mod histories;
mod host_rules;
mod imports;
mod lint;
mod other_scripts;
mod people;
mod settings;
