//! The names of the previews that agents publish.

use jiff::Timestamp;

/// In `agents`: what would be written to a target.
pub fn preview(target: &str) -> String {
    format!("{PREVIEWS_PREFIX}{target}.json")
}

/// In `agents`: the prefix of the pages of all runs of a target's preview.
pub fn preview_pages_prefix(target: &str) -> String {
    format!("{PREVIEWS_PREFIX}{target}/")
}

/// In `agents`: a page of a run, counted from 1.
pub fn preview_page(target: &str, run: Timestamp, page: u32) -> String {
    format!("{}{}/{page:06}.json", preview_pages_prefix(target), run.as_millisecond())
}

/// In `agents`: the prefix of all previews.
pub const PREVIEWS_PREFIX: &str = "previews/";
