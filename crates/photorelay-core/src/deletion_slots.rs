//! The deletion slots of a day: how many there are unless a setting says otherwise, and which are taken.
//!
//! Only reads. An agent takes slots; a console says beforehand whether one is left.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::audit::TrailUsers;
use crate::contract::DeletionSlot;
use crate::documents;
use crate::names::{self, Container};
use crate::store::{BlobStore, StoreError, list_all};

/// So many removals a day go through without an operator, or [`REMOVALS_PERCENT`] of the users if that is fewer.
pub const REMOVALS_PER_DAY: u32 = 20;
pub const REMOVALS_PERCENT: u32 = 5;
/// In a small tenant a few leavers on one day are no accident.
pub const FEWEST_REMOVALS: u32 = 3;

/// From so many users on, a larger tenant has no more slots: there is no need to count further.
const ENOUGH_USERS: u32 = REMOVALS_PER_DAY * 100 / REMOVALS_PERCENT;

/// How many slots a day has by default in a tenant of so many users.
pub fn by_default(users: u32) -> u32 {
    REMOVALS_PER_DAY.min(users / (100 / REMOVALS_PERCENT)).max(FEWEST_REMOVALS)
}

/// How many users the trail has, counted no further than matters.
pub async fn count_users(mut trail: TrailUsers<'_>) -> Result<u32, StoreError> {
    let mut users = 0;
    while users < ENOUGH_USERS
        && let Some(page) = trail.next_page().await?
    {
        users = ENOUGH_USERS.min(users + page.len() as u32);
    }
    Ok(users)
}

/// The day that slots are counted for.
pub fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

/// The slots of this day that are taken in a target. One that cannot be read is taken by a user who is not known.
pub async fn taken(blobs: &dyn BlobStore, day: Date, target: &str) -> Result<Vec<Option<DeletionSlot>>, StoreError> {
    let mut taken = Vec::new();
    for blob in list_all(blobs, Container::Agents, &names::deletion_slots_prefix(&day.to_string())).await? {
        if names::parse_deletion_slot(&blob.name).is_some_and(|of| of == target) {
            taken.push(documents::read(blobs, Container::Agents, &blob.name).await?);
        }
    }
    Ok(taken)
}
