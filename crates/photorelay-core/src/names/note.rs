//! The names of notes: the newest one of a user in a target, and beside it everything that notes have said.

use super::{ReceiptName, parse_receipt};
use crate::id::UserId;

/// In `agents`: the prefix of all notes.
pub const NOTES_PREFIX: &str = "notes/";

/// In `agents`: why an entry is not in a target yet.
pub fn note(user: UserId, target: &str) -> String {
    format!("{NOTES_PREFIX}{user}.{target}.json")
}

/// In `agents`: what a note said for the first time. It is numbered as a receipt is: by user, entry, target and number.
pub fn recorded_note(name: &ReceiptName) -> String {
    format!("{NOTES_PREFIX}{name}")
}

/// In `agents`: the prefix of everything that notes have said about one user.
pub fn recorded_notes_prefix(user: UserId) -> String {
    format!("{NOTES_PREFIX}{user}/")
}

/// What the name of a recorded note says; `None` for any other name.
pub fn parse_recorded_note(name: &str) -> Option<ReceiptName> {
    parse_receipt(name.strip_prefix(NOTES_PREFIX)?)
}
