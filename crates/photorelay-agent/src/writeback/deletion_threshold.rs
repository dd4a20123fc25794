//! The removal brake: a removal goes through by itself only if it owns one of the day's slots.
//!
//! Slots are created once, from the first one on, and never deleted. So two agents that bring up the same removal meet
//! in the same slot, a removal that died half-way finds its own again, and no slot is spent twice.

use std::sync::PoisonError;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use photorelay_core::contract::{DeletionSlot, V1};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{Creation, StoreError};

use super::WriteBacks;
use crate::documents;
use crate::people::People;
use crate::policy::{REMOVALS_PER_DAY, REMOVALS_PERCENT};

/// From so many people on, a larger company has no more slots: nobody has to count further.
const ENOUGH_PEOPLE: u32 = REMOVALS_PER_DAY * 100 / REMOVALS_PERCENT;

impl WriteBacks {
    /// `Err` inside says why the removal has to wait for an operator.
    pub(super) async fn take_deletion_slot(&self, user: UserId, seq: u32) -> Result<Result<(), String>, StoreError> {
        let now = Timestamp::now();
        let today = TimeZone::UTC.to_datetime(now).date();
        let people = if self.policy.removals_per_day.is_some() { 0 } else { self.people(today).await? };
        let limit = self.policy.removals(people);
        let blobs = &*self.storage.blobs;
        let target = &self.settings.target;
        let own = DeletionSlot {
            v: V1,
            user_id: user,
            seq,
            target: target.clone(),
            agent: self.settings.agent.clone(),
            at: now,
        };
        for slot in 0..limit {
            let name = names::deletion_slot(&today.to_string(), slot, target);
            let mut owner: Option<DeletionSlot> = documents::read(blobs, Container::Agents, &name).await?;
            if owner.is_none() {
                match documents::create(blobs, Container::Agents, &name, &own).await? {
                    Creation::Created => return Ok(Ok(())),
                    // Another agent was faster, perhaps for the same removal.
                    Creation::AlreadyExists => owner = documents::read(blobs, Container::Agents, &name).await?,
                }
            }
            if owner.is_some_and(|owner| (owner.user_id, owner.seq) == (user, seq)) {
                return Ok(Ok(()));
            }
        }
        Ok(Err(format!("the removal brake: today's {limit} removals are used up")))
    }

    /// How many people the trail has, counted once a day and no further than matters.
    async fn people(&self, today: Date) -> Result<u32, StoreError> {
        if let Some((day, people)) = *self.people.lock().unwrap_or_else(PoisonError::into_inner)
            && day == today
        {
            return Ok(people);
        }
        let (mut people, mut trail) = (0, People::after(&*self.storage.blobs, None));
        while people < ENOUGH_PEOPLE
            && let Some(page) = trail.next().await?
        {
            people = ENOUGH_PEOPLE.min(people + page.len() as u32);
        }
        *self.people.lock().unwrap_or_else(PoisonError::into_inner) = Some((today, people));
        Ok(people)
    }
}
