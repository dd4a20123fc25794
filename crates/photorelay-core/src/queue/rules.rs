//! The rules for queue names, messages and durations, which every backend enforces alike.

use std::time::Duration;

use super::{MAX_BODY_BYTES, MAX_DELAY, Outgoing};
use crate::store::StoreError;

/// Azure's rule: 3 to 63 lower-case letters, digits and single hyphens, with no hyphen at either end.
pub(super) fn check_queue(queue: &str) -> Result<(), StoreError> {
    let fits = (3..=63).contains(&queue.len())
        && queue.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !queue.starts_with('-')
        && !queue.ends_with('-')
        && !queue.contains("--");
    if fits {
        return Ok(());
    }
    let shown: String = queue.chars().take(80).collect();
    Err(StoreError::Invalid {
        doing: format!("the queue name {shown:?}"),
        source: "expected 3 to 63 lower-case letters, digits and single hyphens between them".into(),
    })
}

pub(super) fn check_messages(queue: &str, messages: &[Outgoing]) -> Result<(), StoreError> {
    match messages.iter().map(|message| message.body.len()).find(|bytes| *bytes > MAX_BODY_BYTES) {
        Some(bytes) => Err(StoreError::TooLarge {
            what: format!("a message for the queue `{queue}`"),
            bytes: bytes as u64,
            limit: MAX_BODY_BYTES as u64,
        }),
        None => Ok(()),
    }
}

/// How many messages one call can receive.
pub(super) fn receivable(max: u32) -> u32 {
    max.clamp(1, 32)
}

/// How long a received message can be hidden: at least a second, as on Azure.
pub(super) fn lease(lease: Duration) -> Duration {
    lease.clamp(Duration::from_secs(1), MAX_DELAY)
}

/// How long a sent or renewed message can be hidden.
pub(super) fn delay(delay: Duration) -> Duration {
    delay.min(MAX_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;

    #[test]
    fn our_queue_names_are_accepted_and_others_are_refused() {
        let target = names::writebacks_queue("emea");
        for queue in [names::CHECKS_QUEUE, names::WRITEBACKS_QUEUE, &target, &names::poison_queue(&target), "abc"] {
            assert!(check_queue(queue).is_ok(), "{queue}");
        }
        let long = "x".repeat(64);
        for queue in ["", "ab", &long, "Photo", "a_b", "-ab", "ab-", "a--b", "a/b", "a b", "\u{e9}abc"] {
            assert!(check_queue(queue).is_err(), "{queue:?}");
        }
    }
}
