//! Limits by resource units and by mailbox: <https://learn.microsoft.com/graph/throttling-limits>.
//!
//! Directory calls of an app cost resource units within ten seconds; photo calls count for a mailbox within ten minutes.
//! Refused calls count too. Two things are not documented and are guesses: windows are fixed, and calls of low priority
//! are refused from 0.9 of the limit on.

use std::collections::HashMap;
use std::hash::Hash;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

const UNITS_WINDOW: SignedDuration = SignedDuration::from_secs(10);
const MAILBOX_WINDOW: SignedDuration = SignedDuration::from_mins(10);
const LOW_PRIORITY_SHARE: f64 = 0.9;

/// What each app used so far.
#[derive(Debug, Default)]
pub(crate) struct UsageWindows {
    units: HashMap<Uuid, UsageWindow>,
    mailboxes: HashMap<(Uuid, usize), UsageWindow>,
}

#[derive(Debug)]
struct UsageWindow {
    began: Timestamp,
    used: u64,
}

/// What a call makes of its window.
#[derive(Debug)]
pub(crate) struct WindowUsage {
    /// Of the limit, with this call.
    pub(crate) share: f64,
    pub(crate) is_exceeded: bool,
    /// Until the window ends.
    pub(crate) remaining: SignedDuration,
}

impl UsageWindows {
    pub(crate) fn count_mailbox(&mut self, app: Uuid, mailbox: usize, limit: u64, now: Timestamp) -> WindowUsage {
        let (used, remaining) = counted(&mut self.mailboxes, (app, mailbox), 1, MAILBOX_WINDOW, now);
        WindowUsage { share: used as f64 / limit as f64, is_exceeded: used > limit, remaining }
    }

    /// Calls of low priority do not get all of the limit.
    pub(crate) fn count_units(&mut self, app: Uuid, cost: UnitCost, limit: u64, now: Timestamp) -> WindowUsage {
        let (used, remaining) = counted(&mut self.units, app, cost.units, UNITS_WINDOW, now);
        let share = used as f64 / limit.max(1) as f64;
        WindowUsage {
            share,
            is_exceeded: share > if cost.is_low_priority { LOW_PRIORITY_SHARE } else { 1.0 },
            remaining,
        }
    }
}

/// What a call asks of the app's resource units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnitCost {
    pub(crate) units: u64,
    pub(crate) is_low_priority: bool,
}

/// The resource units per window of a tenant with so many people.
pub(crate) fn units_by_tenant_size(people: usize) -> u64 {
    match people {
        ..50 => 3_500,
        50..=500 => 5_000,
        _ => 8_000,
    }
}

/// What the window holds with this call, and the time until it ends.
fn counted<K: Hash + Eq>(
    windows: &mut HashMap<K, UsageWindow>,
    key: K,
    cost: u64,
    length: SignedDuration,
    now: Timestamp,
) -> (u64, SignedDuration) {
    let window = windows.entry(key).or_insert(UsageWindow { began: now, used: 0 });
    if now.duration_since(window.began) >= length {
        *window = UsageWindow { began: now, used: 0 };
    }
    window.used += cost;
    (window.used, length - now.duration_since(window.began))
}
