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

    /// Name of the 404 answer in `answers/errors.json`.
    pub(crate) fn answer(self) -> &'static str {
        match self {
            Self::ImageNotFound | Self::OneByOne | Self::EmptyBody => "photo_image_not_found",
            Self::ImageNotFound2021 => "photo_image_not_found_2021",
            Self::EntityNotFound => "photo_entity_not_found",
            Self::ItemNotFound => "photo_item_not_found",
            Self::GetUserPhoto => "photo_get_user_photo",
            Self::ProfileNotFound => "photo_profile_not_found",
            Self::NoMailbox => "photo_no_mailbox",
        }
    }
}
