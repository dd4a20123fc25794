//! What is known of one target of a user before an operator acts: what it showed last, and who will answer there.

use jiff::Timestamp;
use photorelay_core::contract::{Heartbeat, Receipt, Succession};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::receipts;

use super::confirm::TargetChange;
use super::records::UserRecords;
use super::target_view::{LastSeen, newest_word};
use super::version::{ShownPicture, picture_of};
use crate::console::render::{Moment, PageError};
use crate::console::state::ConsoleState;
use crate::jobs::watch::AGENT_SILENT_AFTER;

#[derive(Debug)]
pub(super) struct ForeseenTarget {
    user: UserId,
    name: String,
    /// Of this target, in the order in which they count.
    pub(super) receipts: Vec<Receipt>,
    /// None if neither a receipt nor a note says it.
    pub(super) last: Option<LastSeen>,
}

impl ForeseenTarget {
    pub(super) async fn read(console: &ConsoleState, user: UserId, target: &str) -> Result<Self, PageError> {
        let blobs = &*console.storage.blobs;
        let mut names = receipts::names_of(blobs, user).await?;
        names.retain(|name| name.target == target);
        let records = UserRecords::read(blobs, user, names, std::iter::once(target.to_owned())).await?;
        let receipts = records.receipts();
        let last = LastSeen::of(target, &receipts, newest_word(&records.hops.notes, target, &receipts));
        Ok(Self { user, name: target.to_owned(), receipts, last })
    }

    /// What it showed last; none if that was no photo, or is not known.
    pub(super) fn value(&self) -> Option<Digest> {
        self.last.as_ref().and_then(|last| last.value)
    }

    pub(super) fn picture(&self, value: Digest) -> ShownPicture {
        picture_of(self.user, &self.receipts, value)
    }

    /// The change from what it showed last to this.
    pub(super) fn change(
        self,
        then: Option<ShownPicture>,
        then_none: &'static str,
        effect: impl Into<String>,
    ) -> TargetChange {
        let now = self.value().map(|value| self.picture(value));
        let read = self.last.map(|last| last.read);
        TargetChange { target: self.name, now, read, then, then_none, effect: effect.into() }
    }
}

/// Why the agents of this target may do nothing, as they reported last.
pub(super) fn warnings(target: &str, heartbeats: &[Heartbeat]) -> Vec<String> {
    let agents: Vec<&Heartbeat> = heartbeats.iter().filter(|heartbeat| heartbeat.target == target).collect();
    let Some(newest) = agents.iter().map(|agent| agent.at).max() else {
        return vec![format!("No agent of {target} has ever reported: nothing happens there until one runs.")];
    };
    let is_alive = |agent: &&&Heartbeat| Timestamp::now().duration_since(agent.at) <= AGENT_SILENT_AFTER;
    let alive: Vec<&&Heartbeat> = agents.iter().filter(is_alive).collect();
    if alive.is_empty() {
        let ago = Moment(newest).ago();
        return vec![format!("An agent of {target} reported last {ago}: nothing happens there until one runs.")];
    }
    let mut warnings = Vec::new();
    for agent in alive {
        let name = &agent.agent;
        if agent.dry_run {
            warnings.push(format!("The agent {name} of {target} is in a dry run: it notes what it would do."));
        }
        if let Some(paused) = &agent.paused {
            warnings.push(format!("The agent {name} of {target} writes nothing now: {paused}."));
        }
    }
    warnings
}

/// Why an agent leaves this user's object alone, as far as one has found out.
pub(super) fn taken_over(user: UserId, target: &str, successions: &[Succession]) -> Option<String> {
    let of_target = successions.iter().filter(|succession| succession.target == target);
    of_target.into_iter().find_map(|Succession { earlier, later, contested, .. }| {
        let other = if *earlier == user { later } else { earlier };
        match contested {
            true => Some(format!("user {other} is the same object in {target}, and neither of the two is written")),
            false if *earlier == user => Some(format!("user {other} has taken over the object in {target}")),
            false => None,
        }
    })
}
