//! `photorelay poison`: how many messages could not be handled, by queue and with the reasons, and deletes them.
//!
//! It deletes nothing but messages of the poison queues that were there when it looked. The blobs that keep a message with
//! its reason stay; a message that the Functions host moved there by itself has none.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use photorelay_core::contract::DeadLetter;
use photorelay_core::documents;
use photorelay_core::names::{self, CHECKS_QUEUE, Container, SUBSCRIPTIONS_QUEUE};
use photorelay_core::queue::{Leased, QueueStore};
use photorelay_core::storage::Storage;
use photorelay_core::store::{StoreError, list_all};
use photorelay_core::target::Targets;
use photorelay_core::wording::counted;
use serde::Serialize;

use super::support_bundle::is_guid;

/// A message that is read and not deleted after all is visible again after this time.
const LEASE: Duration = Duration::from_secs(60);
/// Messages of one read.
const AT_ONCE: u32 = 32;
/// Stands in the place of what differs.
const LEFT_OUT: &str = "…";

/// The messages of a queue that could not be handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoisonedQueue {
    pub queue: String,
    /// In the poison queue, before any was deleted.
    pub messages: u64,
    pub deleted: u64,
    /// Later ones are not deleted.
    #[serde(skip)]
    pub listed_at: Timestamp,
    /// Of every dead letter that is kept as a blob, also of those whose message was deleted.
    pub reasons: Vec<KeptReason>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptReason {
    /// Of several messages, what they have in common.
    pub reason: String,
    pub messages: u64,
    pub newest: Timestamp,
}

impl PoisonedQueue {
    pub fn is_empty(&self) -> bool {
        self.messages <= self.deleted
    }
}

impl fmt::Display for PoisonedQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", names::poison_queue(&self.queue), counted(self.messages, "message", "messages"))?;
        if self.deleted > 0 {
            write!(f, ", {} deleted", self.deleted)?;
        }
        self.reasons.iter().try_for_each(|KeptReason { reason, messages, newest }| {
            write!(f, "\n      {} until {newest:.0}: {reason}", counted(*messages, "blob", "blobs"))
        })
    }
}

/// Every poison queue of the function and of these targets, with its reasons.
pub async fn inspect(storage: &Storage, targets: &Targets) -> Result<Vec<PoisonedQueue>> {
    let own = [CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE].map(str::to_owned);
    let mut found = Vec::new();
    for queue in own.into_iter().chain(targets.all().iter().map(|target| target.queue.clone())) {
        let listed_at = Timestamp::now();
        let messages = match storage.queues.count(&names::poison_queue(&queue)).await {
            Ok(messages) => messages,
            // Made when the first message is dead-lettered.
            Err(StoreError::Missing { .. }) => 0,
            Err(error) => return Err(error.into()),
        };
        let reasons = reasons(storage, &queue).await?;
        found.push(PoisonedQueue { queue, messages, deleted: 0, listed_at, reasons });
    }
    Ok(found)
}

/// Deletes the messages of these poison queues that were there when they were inspected, and counts them.
pub async fn clear(queues: &dyn QueueStore, poisoned: &mut [PoisonedQueue]) -> Result<(), StoreError> {
    for found in poisoned.iter_mut().filter(|found| found.messages > 0) {
        let queue = names::poison_queue(&found.queue);
        loop {
            let mut listed = queues.receive(&queue, AT_ONCE, LEASE).await?;
            // Later ones are visible again after the lease.
            listed.retain(|message| message.inserted_at <= found.listed_at);
            for message in &listed {
                let deleted = queues.delete(&queue, message).await?;
                found.deleted += u64::from(matches!(deleted, Leased::Yes(())));
            }
            if listed.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

async fn reasons(storage: &Storage, queue: &str) -> Result<Vec<KeptReason>, StoreError> {
    let mut reasons: BTreeMap<String, KeptReason> = BTreeMap::new();
    for container in [Container::State, Container::Agents] {
        for blob in list_all(&*storage.blobs, container, &names::dead_lettered_prefix(queue)).await? {
            let kept: Option<DeadLetter> = documents::read(&*storage.blobs, container, &blob.name).await?;
            let Some(DeadLetter { reason, at, .. }) = kept else { continue };
            let common = in_common(&reason);
            let known = reasons.entry(common.clone()).or_insert(KeptReason { reason, messages: 0, newest: at });
            known.messages += 1;
            known.newest = known.newest.max(at);
            // Of one message alone, the IDs say more.
            if known.messages > 1 {
                known.reason = common;
            }
        }
    }
    Ok(reasons.into_values().collect())
}

/// The reason without what differs from one message to the next: the IDs of users and requests, and times.
fn in_common(reason: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.');
    let mut common = String::with_capacity(reason.len());
    let mut rest = reason;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        common += &masked(word);
        let (between, next) = after.split_at(after.find(is_part).unwrap_or(after.len()));
        common += between;
        rest = next;
    }
    common
}

fn masked(word: &str) -> String {
    let bare = word.trim_end_matches([':', '.']);
    // As in `Time:...`.
    let begins = std::iter::once(0).chain(bare.match_indices(':').map(|(at, _)| at + 1));
    if let Some(begin) = begins.into_iter().find(|begin| bare[*begin..].parse::<Timestamp>().is_ok()) {
        return format!("{}{LEFT_OUT}{}", &word[..begin], &word[bare.len()..]);
    }
    // As in `RequestId:...`.
    let parts = word.split(':').map(|part| {
        let bare = part.trim_end_matches('.');
        if is_guid(bare) { format!("{LEFT_OUT}{}", &part[bare.len()..]) } else { part.to_owned() }
    });
    parts.collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_differ_in_ids_and_times_only_are_one() {
        let of = |user: &str, request: &str, time: &str| {
            format!(
                "read photo of user {user}, status 404 \"gone.\", request-id {request}, client-request-id {request}: \
                 RequestId:{request}\nTime:{time}. It is 10:30, and 1-2-3 are no ID"
            )
        };
        let one = of(
            "7a35954c-c4e5-44c7-89a6-37227d617a02",
            "5c1e0a7e-7e11-4a11-8a11-c0ffee000001",
            "2026-11-30T16:39:47.1Z",
        );
        let other =
            of("bd7c35dd-0000-4000-8000-000000000002", "a9911ca7-1000-4a11-8a11-c0ffee000002", "2026-12-01T00:00:00Z");
        assert_eq!(in_common(&one), in_common(&other));
        assert_eq!(in_common(&one), of("…", "…", "…"));
        assert_eq!(in_common("not a check message: EOF at 3"), "not a check message: EOF at 3");
    }
}
