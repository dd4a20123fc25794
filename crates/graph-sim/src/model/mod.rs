//! A plain tenant that can be edited and read: people, photos, groups, subscriptions, settings, the clock.
//!
//! Nothing here raises notifications, checks permissions or knows HTTP; the caller of an edit decides what follows
//! from the edit.

mod clock;
mod dice;
mod directory;
mod generated_people;
mod group;
mod no_photo;
mod photo;
mod photo_settings;
mod sample_people;
mod subscription;
mod tenant;
mod user;

pub use no_photo::NoPhoto;
pub use photo::ShownPhoto;
pub use photo_settings::{SimPhotoSettings, SimPhotoSource};
pub use subscription::SimSubscription;
pub use user::SimUser;

pub(crate) use clock::graph_time;
pub(crate) use directory::{Deleted, DirectoryUser};
pub(crate) use photo::{PhotoRecord, SimPhoto};
pub(crate) use subscription::normalized_resource;
pub(crate) use tenant::{TenantModel, TenantSize};
