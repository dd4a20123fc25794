//! The deletion threshold: without an operator, a removal needs one of the day's deletion slots.
//!
//! Slots are created once, from the first one on, and never deleted. So two agents that bring up the same removal meet
//! in the same slot, a removal that was interrupted finds its own slot again, and no slot is used twice.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use photorelay_core::contract::{DeletionSlot, V1};
use photorelay_core::deletion_slots;
use photorelay_core::documents;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::store::{BlobStore, Creation, StoreError};

use super::trail::TrailReader;
use crate::policy::WritePolicy;

#[derive(Debug, Clone)]
pub(super) struct DeletionThreshold {
    blobs: ScopedBlobs,
    trail: TrailReader,
    target: String,
    agent: String,
    /// How many users the trail has, as counted on this day.
    users: Arc<Mutex<Option<(Date, u32)>>>,
}

impl DeletionThreshold {
    pub(super) fn new(blobs: &Arc<dyn BlobStore>, trail: TrailReader, target: &str, agent: &str) -> Self {
        const GRANTS: &[Grant] = &[Grant::write(Container::Agents, "brake/")];
        let (target, agent) = (target.to_owned(), agent.to_owned());
        Self { blobs: ScopedBlobs::new(blobs, GRANTS), trail, target, agent, users: Arc::default() }
    }

    /// `Err` inside says why the removal has to wait for an operator.
    pub(super) async fn take_slot(
        &self,
        policy: &WritePolicy,
        user: UserId,
        seq: u32,
    ) -> Result<Result<(), String>, StoreError> {
        let (now, today) = (Timestamp::now(), deletion_slots::today());
        let limit = self.limit_of(policy, today).await?;
        let (target, agent) = (self.target.clone(), self.agent.clone());
        let own = DeletionSlot { v: V1, user_id: user, seq, target, agent, at: now };
        for slot in 0..limit {
            let name = names::deletion_slot(&today.to_string(), slot, &self.target);
            let mut owner: Option<DeletionSlot> = documents::read(&self.blobs, Container::Agents, &name).await?;
            if owner.is_none() {
                match documents::create(&self.blobs, Container::Agents, &name, &own).await? {
                    Creation::Created => return Ok(Ok(())),
                    // Another agent was faster, perhaps for the same removal.
                    Creation::AlreadyExists => {
                        owner = documents::read(&self.blobs, Container::Agents, &name).await?;
                    }
                }
            }
            if owner.is_some_and(|owner| (owner.user_id, owner.seq) == (user, seq)) {
                return Ok(Ok(()));
            }
        }
        Ok(Err(format!("the deletion threshold is reached: today's {limit} removals are used up")))
    }

    /// How many removals a day has.
    pub(super) async fn limit(&self, policy: &WritePolicy) -> Result<u32, StoreError> {
        self.limit_of(policy, deletion_slots::today()).await
    }

    async fn limit_of(&self, policy: &WritePolicy, today: Date) -> Result<u32, StoreError> {
        let users = if policy.removals_per_day.is_some() { 0 } else { self.users(today).await? };
        Ok(policy.removals(users))
    }

    /// How many users the trail has, counted once a day and no further than matters.
    async fn users(&self, today: Date) -> Result<u32, StoreError> {
        if let Some((day, users)) = *self.users.lock().unwrap_or_else(PoisonError::into_inner)
            && day == today
        {
            return Ok(users);
        }
        let users = deletion_slots::count_users(self.trail.users_after(None)).await?;
        *self.users.lock().unwrap_or_else(PoisonError::into_inner) = Some((today, users));
        Ok(users)
    }
}
