//! The shapes in which "this person has no photo" was seen or documented.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoPhoto {
    ImageNotFound,
    /// The same code with the message of 2021.
    ImageNotFound2021,
    EntityNotFound,
    ItemNotFound,
    GetUserPhoto,
    ProfileNotFound,
    NoMailbox,
    /// Metadata answers 200 with a 1x1 GIF and an empty ETag; `$value` answers 404.
    OneByOne,
    /// Metadata as `OneByOne`; `$value` answers 200 with no bytes.
    EmptyBody,
}

impl NoPhoto {
    pub const ALL: [Self; 9] = [
        Self::ImageNotFound,
        Self::ImageNotFound2021,
        Self::EntityNotFound,
        Self::ItemNotFound,
        Self::GetUserPhoto,
        Self::ProfileNotFound,
        Self::NoMailbox,
        Self::OneByOne,
        Self::EmptyBody,
    ];
}
