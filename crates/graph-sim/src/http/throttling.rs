//! Throttling as callers see it: what a call costs, and the headers that report it.
//!
//! From 0.8 of the limit on, responses of the directory report the share that is used.

use jiff::SignedDuration;

use crate::faults::{UnitCost, units_by_tenant_size};
use crate::locked::locked;

use super::route::Route;
use super::{ApiCall, ApiResponse, ApiResult, ApiState, Caller};

const REPORTED_FROM: f64 = 0.8;
const MOST_REPORTED: f64 = 1.8;
const SHARE_HEADER: &str = "x-ms-throttle-limit-percentage";

/// Counts a call. An error is the refusal; otherwise the share of the limit to report, if any.
pub(crate) fn count(state: &ApiState, route: &Route, call: &ApiCall, caller: &Caller) -> ApiResult<Option<f64>> {
    let (settings, app, now) = (state.settings(), caller.app_id, state.now());
    if let Some(mailbox) = route.mailbox().and_then(|user| locked(&state.model.directory).find(user)) {
        let usage = locked(&state.usage).count_mailbox(app, mailbox, settings.mailbox_requests, now);
        return if usage.is_exceeded { Err(refused(state, usage.remaining)) } else { Ok(None) };
    }
    let Some(units) = units(route, call) else { return Ok(None) };
    let is_low_priority = call.header("x-ms-throttle-priority").is_some_and(|value| value.eq_ignore_ascii_case("low"));
    let by_size = || units_by_tenant_size(locked(&state.model.directory).len());
    let limit = settings.resource_units.unwrap_or_else(by_size);
    let usage = locked(&state.usage).count_units(app, UnitCost { units, is_low_priority }, limit, now);
    if usage.is_exceeded {
        let scope = format!("Tenant_Application/Read/{app}/{}", state.model.id);
        let refusal = refused(state, usage.remaining)
            .with("x-ms-throttle-scope", scope)
            .with("x-ms-throttle-information", "ResourceUnitLimitExceeded");
        return Err(reported(refusal, usage.share));
    }
    Ok((usage.share > REPORTED_FROM).then_some(usage.share))
}

/// The response with the share of the limit.
pub(crate) fn reported(response: ApiResponse, share: f64) -> ApiResponse {
    response.with(SHARE_HEADER, format!("{:.2}", share.min(MOST_REPORTED)))
}

fn refused(state: &ApiState, remaining: SignedDuration) -> ApiResponse {
    state.error("throttled", &[]).with("Retry-After", remaining.as_secs().max(1).to_string())
}

/// What a directory call costs; `None` for calls that other services answer.
fn units(route: &Route, call: &ApiCall) -> Option<u64> {
    let base: u64 = match route {
        Route::Users => 2,
        Route::UsersDelta | Route::User(_) | Route::TransitiveMembers(_) | Route::CheckMemberGroups(_) => 1,
        _ => return None,
    };
    let is_small = call.query_option("$top").and_then(|top| top.parse::<u32>().ok()).is_some_and(|top| top < 20);
    let less = u64::from(call.query_option("$select").is_some()) + u64::from(is_small);
    Some(base.saturating_sub(less).max(1))
}
