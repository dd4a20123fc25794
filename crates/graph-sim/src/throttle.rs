//! Limits by resource units and by mailbox, as learn.microsoft.com/graph/throttling-limits tells them.
//!
//! Directory calls of an app cost resource units within ten seconds, more of them for larger tenants; photo calls count
//! for a mailbox within ten minutes. Calls that are refused count too. From 0.8 on, directory answers tell how much is
//! used. Two things are ours, because they are not told: windows are fixed, and calls of low priority are refused from
//! 0.9 on.

use std::collections::HashMap;
use std::hash::Hash;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::auth::Caller;
use crate::inner::Inner;
use crate::locked;
use crate::routes::Route;
use crate::users::option;
use crate::wire::{Answer, Call};

const UNITS_WINDOW: SignedDuration = SignedDuration::from_secs(10);
const MAILBOX_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Units of tenants with fewer than 50, up to 500, and more people.
const UNITS_BY_SIZE: [u64; 3] = [3_500, 5_000, 8_000];
const TOLD_FROM: f64 = 0.8;
const MOST_TOLD: f64 = 1.8;
const LOW_PRIORITY: f64 = 0.9;

/// What was used so far.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    units: HashMap<Uuid, Window>,
    mailboxes: HashMap<(Uuid, usize), Window>,
}

#[derive(Debug)]
struct Window {
    began: Timestamp,
    used: u64,
}

/// Counts a call; the refusal, or the share of the limit that its answer tells.
pub(crate) fn counted(inner: &Inner, route: &Route, call: &Call, caller: &Caller) -> Result<Option<f64>, Answer> {
    let settings = inner.settings();
    if let Some(mailbox) = route.mailbox().and_then(|user| locked(&inner.directory).find(user)) {
        let mailboxes = &mut locked(&inner.usage).mailboxes;
        let used = spent(mailboxes, (caller.app_id, mailbox), 1, MAILBOX_WINDOW, inner.now());
        return if used.count > settings.mailbox_requests { Err(refused(inner, used.left)) } else { Ok(None) };
    }
    let Some(cost) = units(route, call) else { return Ok(None) };
    let limit = settings.resource_units.unwrap_or_else(|| by_size(inner)).max(1);
    let used = spent(&mut locked(&inner.usage).units, caller.app_id, cost, UNITS_WINDOW, inner.now());
    let share = used.count as f64 / limit as f64;
    let is_low = call.header("x-ms-throttle-priority").is_some_and(|value| value.eq_ignore_ascii_case("low"));
    if share > if is_low { LOW_PRIORITY } else { 1.0 } {
        let scope = format!("Tenant_Application/Read/{}/{}", caller.app_id, inner.config.tenant_id);
        return Err(refused(inner, used.left)
            .with("x-ms-throttle-scope", scope)
            .with("x-ms-throttle-information", "ResourceUnitLimitExceeded")
            .with("x-ms-throttle-limit-percentage", told(share)));
    }
    Ok((share > TOLD_FROM).then_some(share))
}

pub(crate) fn told(share: f64) -> String {
    format!("{:.2}", share.min(MOST_TOLD))
}

fn refused(inner: &Inner, left: SignedDuration) -> Answer {
    inner.error("throttled", &[]).with("Retry-After", left.as_secs().max(1).to_string())
}

struct Spent {
    count: u64,
    /// Until the window ends.
    left: SignedDuration,
}

fn spent<K: Hash + Eq>(
    windows: &mut HashMap<K, Window>,
    key: K,
    cost: u64,
    length: SignedDuration,
    now: Timestamp,
) -> Spent {
    let window = windows.entry(key).or_insert(Window { began: now, used: 0 });
    if now.duration_since(window.began) >= length {
        *window = Window { began: now, used: 0 };
    }
    window.used += cost;
    Spent { count: window.used, left: length - now.duration_since(window.began) }
}

/// What a directory call costs; none for calls that other services answer.
fn units(route: &Route, call: &Call) -> Option<u64> {
    let base: u64 = match route {
        Route::Users => 2,
        Route::UsersDelta | Route::User(_) | Route::TransitiveMembers(_) | Route::CheckMemberGroups(_) => 1,
        _ => return None,
    };
    let small = option(call, "$top").and_then(|top| top.parse::<u32>().ok()).is_some_and(|top| top < 20);
    let less = u64::from(option(call, "$select").is_some()) + u64::from(small);
    Some(base.saturating_sub(less).max(1))
}

fn by_size(inner: &Inner) -> u64 {
    match locked(&inner.directory).people.len() {
        ..50 => UNITS_BY_SIZE[0],
        50..=500 => UNITS_BY_SIZE[1],
        _ => UNITS_BY_SIZE[2],
    }
}
